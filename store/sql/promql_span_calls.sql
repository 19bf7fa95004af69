-- Spans of each operation by periods of `width` milliseconds: how many, how many in each bucket of seconds, how long.
SELECT
    toString(ServiceName) AS service,
    toString(SpanName) AS span_name,
    concat('SPAN_KIND_', upper(toString(SpanKind))) AS span_kind,
    concat('STATUS_CODE_', upper(toString(StatusCode))) AS status_code,
    intDiv(toUnixTimestamp64Milli(Timestamp) - {start:Int64}, {width:Int64}) * {width:Int64} + {start:Int64} AS period,
    count() AS count,
    countIf(StatusCode = 'Error') AS failed,
    sum(Duration) / 1e9 AS seconds,
    sumForEach(arrayMap(
        place -> toUInt64(place = arrayFirstIndex(bound -> Duration / 1e9 <= bound, arrayPushBack({bounds:Array(Float64)}, inf))),
        range(1, length({bounds:Array(Float64)}) + 2))) AS counts
FROM otel_traces
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Milli({start:Int64}) AND Timestamp <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY service, span_name, span_kind, status_code, period
LIMIT {limit:UInt64}
