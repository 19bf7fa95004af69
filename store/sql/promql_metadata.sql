-- Unit, help text and type of the metrics that a tenant has in a span of time.
SELECT kind, name, unit, help, monotonic, foreign, prometheus_type
FROM
(
    SELECT 'gauge' AS kind, toString(MetricName) AS name, any(MetricUnit) AS unit, any(MetricDescription) AS help,
        false AS monotonic, any(ScopeName = 'causeline.remote_write') AS foreign, any(MetricMetadata['prometheus.type']) AS prometheus_type
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    GROUP BY name
    UNION ALL
    SELECT 'sum' AS kind, toString(MetricName) AS name, any(MetricUnit) AS unit, any(MetricDescription) AS help,
        any(IsMonotonic) AS monotonic, any(ScopeName = 'causeline.remote_write') AS foreign, any(MetricMetadata['prometheus.type']) AS prometheus_type
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    GROUP BY name
    UNION ALL
    SELECT 'histogram' AS kind, toString(MetricName) AS name, any(MetricUnit) AS unit, any(MetricDescription) AS help,
        true AS monotonic, any(ScopeName = 'causeline.remote_write') AS foreign, any(MetricMetadata['prometheus.type']) AS prometheus_type
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    GROUP BY name
    UNION ALL
    SELECT 'exponential_histogram' AS kind, toString(MetricName) AS name, any(MetricUnit) AS unit, any(MetricDescription) AS help,
        true AS monotonic, any(ScopeName = 'causeline.remote_write') AS foreign, any(MetricMetadata['prometheus.type']) AS prometheus_type
    FROM otel_metrics_exponential_histogram
    WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    GROUP BY name
    UNION ALL
    SELECT 'summary' AS kind, toString(MetricName) AS name, any(MetricUnit) AS unit, any(MetricDescription) AS help,
        false AS monotonic, any(ScopeName = 'causeline.remote_write') AS foreign, any(MetricMetadata['prometheus.type']) AS prometheus_type
    FROM otel_metrics_summary
    WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
    GROUP BY name
)
ORDER BY name, kind
