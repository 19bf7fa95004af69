-- Hours of [start, end) that have been added, as nanoseconds since the epoch.
SELECT DISTINCT toInt64(toUnixTimestamp(Hour)) * 1000000000 AS hour
FROM metric_hours
WHERE Tenant = {tenant:String} AND SeriesHash = 0
    AND Hour >= toDateTime(fromUnixTimestamp64Nano({start:Int64})) AND Hour < toDateTime(fromUnixTimestamp64Nano({end:Int64}))
