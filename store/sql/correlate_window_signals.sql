-- Whole rows of the signals that passes over windows inside [start, end) last wrote.
SELECT *
FROM signals FINAL
WHERE Tenant = {tenant:String}
    AND WindowStart >= fromUnixTimestamp64Nano({start:Int64}) AND WindowEnd <= fromUnixTimestamp64Nano({end:Int64})
