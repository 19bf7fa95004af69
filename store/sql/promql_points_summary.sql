-- Points of summaries by series and time.
SELECT
    SeriesHash AS hash,
    toUnixTimestamp64Milli(TimeUnix) AS time,
    bitAnd(Flags, 1) = 1 AS stale,
    toFloat64(Count) AS count,
    Sum AS sum,
    ValueAtQuantiles.Quantile AS quantiles,
    ValueAtQuantiles.Value AS quantile_values
FROM otel_metrics_summary
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND (empty({hashes:Array(UInt64)}) OR SeriesHash IN {hashes:Array(UInt64)})
ORDER BY hash, time
LIMIT {limit:UInt64}
