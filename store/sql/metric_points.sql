-- Points of gauges and sums, values as sent. NaN marks a stale series in Prometheus and is no value.
SELECT SeriesHash AS series, TimeUnix AS time, Value AS value
FROM
(
    SELECT SeriesHash, TimeUnix, Value
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    UNION ALL
    SELECT SeriesHash, TimeUnix, Value
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String}
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
)
WHERE isFinite(Value)
