-- Points of classic histograms by series and time. Counts that are not whole are in the columns beside.
SELECT
    SeriesHash AS hash,
    toUnixTimestamp64Milli(TimeUnix) AS time,
    bitAnd(Flags, 1) = 1 AS stale,
    if(FloatCount != 0, FloatCount, toFloat64(Count)) AS count,
    Sum AS sum,
    ExplicitBounds AS bounds,
    arrayCumSum(if(notEmpty(FloatBucketCounts), FloatBucketCounts, CAST(BucketCounts, 'Array(Float64)'))) AS buckets
FROM otel_metrics_histogram
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND (empty({hashes:Array(UInt64)}) OR SeriesHash IN {hashes:Array(UInt64)})
    AND NOT (bitAnd(Flags, 1) = 1 AND notEmpty(Exemplars.TimeUnix))
ORDER BY hash, time
LIMIT {limit:UInt64}
