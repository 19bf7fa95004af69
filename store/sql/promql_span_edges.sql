-- Requests between services by periods of `width` milliseconds: a server's or consumer's span whose parent is another
-- service's client or producer span.
SELECT
    client,
    server,
    connection_type,
    intDiv(time - {start:Int64}, {width:Int64}) * {width:Int64} + {start:Int64} AS period,
    count() AS count,
    countIf(failed) AS failed,
    sum(duration) / 1e9 AS seconds,
    sumForEach(arrayMap(
        place -> toUInt64(place = arrayFirstIndex(bound -> duration / 1e9 <= bound, arrayPushBack({bounds:Array(Float64)}, inf))),
        range(1, length({bounds:Array(Float64)}) + 2))) AS counts
FROM
(
    SELECT
        toString(called.ServiceName) AS server,
        toString(calling.ServiceName) AS client,
        if(called.SpanKind = 'Consumer', 'messaging_system', '') AS connection_type,
        toUnixTimestamp64Milli(called.Timestamp) AS time,
        called.StatusCode = 'Error' AS failed,
        called.Duration AS duration
    FROM otel_traces AS called
    INNER JOIN
    (
        SELECT TraceId, SpanId, ServiceName
        FROM otel_traces
        WHERE Tenant = {tenant:String} AND SpanKind IN ('Client', 'Producer')
            AND Timestamp >= fromUnixTimestamp64Milli({start:Int64}) - INTERVAL 5 MINUTE
            AND Timestamp <= fromUnixTimestamp64Milli({end:Int64})
    ) AS calling
    ON called.TraceId = calling.TraceId AND called.ParentSpanId = calling.SpanId
    WHERE called.Tenant = {tenant:String} AND called.SpanKind IN ('Server', 'Consumer')
        AND called.Timestamp >= fromUnixTimestamp64Milli({start:Int64})
        AND called.Timestamp <= fromUnixTimestamp64Milli({end:Int64})
)
WHERE client != server
GROUP BY client, server, connection_type, period
LIMIT {limit:UInt64}
