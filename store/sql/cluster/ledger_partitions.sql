-- Days of the ledger, and of what became of remote-write requests, that lie wholly before a time, on whichever node.
SELECT DISTINCT replaceRegexpOne(table, '_local$', '') AS TableName, partition_id AS Day
FROM clusterAllReplicas({cluster:String}, system.parts)
WHERE database = {database:String} AND table IN ('ingest_ledger_local', 'remote_write_written_local') AND active
  AND toDate(parseDateTimeBestEffort(partition_id)) < toDate(fromUnixTimestamp64Milli({since:Int64}, 'UTC'))
