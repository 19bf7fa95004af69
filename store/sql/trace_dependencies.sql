-- How often a span of one service has its parent in another, both begun within [start, end).
SELECT caller.service AS parent, called.service AS child, count() AS calls
FROM
(
    SELECT cityHash64(TraceId, ParentSpanId) AS id, ServiceName AS service FROM otel_traces
    WHERE Tenant = {tenant:String} AND ParentSpanId != '' AND ServiceName != ''
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
) AS called
INNER JOIN
(
    SELECT cityHash64(TraceId, SpanId) AS id, any(ServiceName) AS service FROM otel_traces
    WHERE Tenant = {tenant:String} AND ServiceName != ''
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    GROUP BY id
) AS caller ON caller.id = called.id
WHERE caller.service != called.service
GROUP BY parent, child
ORDER BY parent, child
LIMIT {limit:UInt32}
