-- Days of the ledger that lie wholly before a time.
SELECT DISTINCT partition_id AS Day
FROM system.parts
WHERE database = currentDatabase() AND table = 'ingest_ledger' AND active
  AND toDate(parseDateTimeBestEffort(partition_id)) < toDate(fromUnixTimestamp64Milli({since:Int64}, 'UTC'))
