-- Count and sum of histograms, exponential histograms and summaries; AggregationTemporality 1 is delta.
-- A point that was delivered again is one point.
SELECT SeriesHash AS series, TimeUnix AS time, toFloat64(max(Count)) AS count, argMax(Sum, (Count, Sum)) AS sum, AggregationTemporality = 1 AS delta
FROM
(
    SELECT SeriesHash, TimeUnix, Count, Sum, Flags, AggregationTemporality
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND match(MetricName, {metrics:String})
    UNION ALL
    SELECT SeriesHash, TimeUnix, Count, Sum, Flags, AggregationTemporality
    FROM otel_metrics_exponential_histogram
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND match(MetricName, {metrics:String})
    UNION ALL
    SELECT SeriesHash, TimeUnix, Count, Sum, Flags, 2
    FROM otel_metrics_summary
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND match(MetricName, {metrics:String})
)
WHERE isFinite(Sum) AND bitAnd(Flags, 1) = 0
GROUP BY series, time, delta
