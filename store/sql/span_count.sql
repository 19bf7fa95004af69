-- How many spans began in [start, end).
SELECT count() AS spans
FROM otel_traces
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
