-- Points of gauges and sums, values as sent. NaN is no value, and nor is what flag 1 (no recorded value) stands beside.
-- A point that was delivered again is one point.
SELECT SeriesHash AS series, TimeUnix AS time, max(Value) AS value
FROM
(
    SELECT SeriesHash, TimeUnix, Value, Flags
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND match(MetricName, {metrics:String})
    UNION ALL
    SELECT SeriesHash, TimeUnix, Value, Flags
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        AND match(MetricName, {metrics:String})
)
WHERE isFinite(Value) AND bitAnd(Flags, 1) = 0
GROUP BY series, time
