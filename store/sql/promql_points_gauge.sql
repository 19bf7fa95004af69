-- Samples of some metrics, in no order; without hashes all series. Flag 1, no recorded value, is a stale marker.
SELECT
    SeriesHash AS hash,
    toUnixTimestamp64Milli(TimeUnix) AS time,
    if(bitAnd(Flags, 1) = 1, reinterpretAsFloat64(toUInt64(9218868437227405314)), Value) AS value
FROM otel_metrics_gauge
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND (empty({hashes:Array(UInt64)}) OR SeriesHash IN {hashes:Array(UInt64)})
    AND NOT (bitAnd(Flags, 1) = 1 AND notEmpty(Exemplars.TimeUnix))
LIMIT {limit:UInt64}
