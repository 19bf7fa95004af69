-- Days of the ledger, and of what became of remote-write requests, that lie wholly before a time.
SELECT DISTINCT table AS TableName, partition_id AS Day
FROM system.parts
WHERE database = currentDatabase() AND table IN ('ingest_ledger', 'remote_write_written') AND active
  AND toDate(parseDateTimeBestEffort(partition_id)) < toDate(fromUnixTimestamp64Milli({since:Int64}, 'UTC'))
