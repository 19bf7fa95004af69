-- Points of exponential histograms by series and time. Counts that are not whole are in the columns beside.
SELECT
    SeriesHash AS hash,
    toUnixTimestamp64Milli(TimeUnix) AS time,
    bitAnd(Flags, 1) = 1 AS stale,
    AggregationTemporality = 0 AS gauge,
    if(FloatCount != 0, FloatCount, toFloat64(Count)) AS count,
    Sum AS sum,
    Scale AS scale,
    ZeroThreshold AS zero_threshold,
    if(FloatZeroCount != 0, FloatZeroCount, toFloat64(ZeroCount)) AS zero_count,
    PositiveOffset AS positive_offset,
    if(notEmpty(PositiveFloatCounts), PositiveFloatCounts, CAST(PositiveBucketCounts, 'Array(Float64)')) AS positive,
    NegativeOffset AS negative_offset,
    if(notEmpty(NegativeFloatCounts), NegativeFloatCounts, CAST(NegativeBucketCounts, 'Array(Float64)')) AS negative
FROM otel_metrics_exponential_histogram
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    AND (empty({hashes:Array(UInt64)}) OR SeriesHash IN {hashes:Array(UInt64)})
    AND NOT (bitAnd(Flags, 1) = 1 AND notEmpty(Exemplars.TimeUnix))
ORDER BY hash, time
LIMIT {limit:UInt64}
