-- Whole incident rows that overlap [start, end).
SELECT *
FROM incidents FINAL
WHERE Tenant = {tenant:String}
    AND StartedAt < fromUnixTimestamp64Nano({end:Int64}) AND UpdatedAt >= fromUnixTimestamp64Nano({start:Int64})
