-- What series are: name, unit and labels of those whose hashes are given, from any of their points in a span of time.
SELECT
    SeriesHash AS hash,
    any(toString(MetricName)) AS metric,
    any(MetricUnit) AS unit,
    any(ScopeName) AS scope,
    any(MetricMetadata['prometheus.type']) AS prometheus_type,
    any(IsMonotonic) AS monotonic,
    any(AggregationTemporality = 1) AS delta,
    any(CAST(ResourceAttributes, 'Map(String, String)')) AS resource,
    any(CAST(Attributes, 'Map(String, String)')) AS attributes
FROM otel_metrics_sum
WHERE Tenant = {tenant:String} AND MetricName IN {names:Array(String)} AND SeriesHash IN {hashes:Array(UInt64)}
    AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY hash
