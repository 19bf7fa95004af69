-- Exemplars of some metrics in a span of time, newest first.
SELECT
    SeriesHash AS hash,
    toUnixTimestamp64Milli(exemplar_time) AS time,
    exemplar_value AS value,
    trace_id,
    span_id,
    CAST(filtered, 'Map(String, String)') AS attributes
FROM otel_metrics_sum
ARRAY JOIN
    Exemplars.TimeUnix AS exemplar_time,
    Exemplars.Value AS exemplar_value,
    Exemplars.TraceId AS trace_id,
    Exemplars.SpanId AS span_id,
    Exemplars.FilteredAttributes AS filtered
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)} AND notEmpty(Exemplars.TimeUnix)
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND exemplar_time >= fromUnixTimestamp64Milli({start:Int64}) AND exemplar_time <= fromUnixTimestamp64Milli({end:Int64})
ORDER BY exemplar_time DESC
LIMIT {limit:UInt64}
