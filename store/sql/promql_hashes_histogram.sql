-- Series of some metrics that have points in a span of time, by their hashes.
SELECT SeriesHash AS hash
FROM otel_metrics_histogram
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY hash
LIMIT {limit:UInt64}
