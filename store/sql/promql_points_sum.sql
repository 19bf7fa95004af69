-- Samples of some metrics, in no order; without hashes all series. Flag 1, no recorded value, is a stale marker.
-- Times are milliseconds after `start`, of a type that is no wider than it must be. The condition on hashes is looked
-- at first and others are not: most rows that are read meet those.
SELECT
    SeriesHash AS hash,
    CAST(toUnixTimestamp64Milli(TimeUnix) - {start:Int64}, {time_type:String}) AS time,
    if(bitAnd(Flags, 1) = 1, reinterpretAsFloat64(toUInt64(9218868437227405314)), Value) AS value
FROM otel_metrics_sum
PREWHERE empty({hashes:Array(UInt64)}) OR SeriesHash IN {hashes:Array(UInt64)}
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND NOT (bitAnd(Flags, 1) = 1 AND notEmpty(Exemplars.TimeUnix))
LIMIT {limit:UInt64}
