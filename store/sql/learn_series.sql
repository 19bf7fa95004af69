-- Remember what the series of [start, end) are that nobody asked about before.
INSERT INTO metric_identities (Tenant, SeriesHash, MetricName, MetricUnit, ServiceName, ResourceAttributes, Attributes, Type, Monotonic)
WITH known AS (SELECT SeriesHash FROM metric_identities WHERE Tenant = {tenant:String})
SELECT {tenant:String}, SeriesHash, any(MetricName), any(MetricUnit), any(ServiceName), any(ResourceAttributes), any(Attributes), 'gauge', false
FROM otel_metrics_gauge
PREWHERE SeriesHash NOT IN known
WHERE Tenant = {tenant:String}
    AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
GROUP BY SeriesHash
UNION ALL
SELECT {tenant:String}, SeriesHash, any(MetricName), any(MetricUnit), any(ServiceName), any(ResourceAttributes), any(Attributes), if(any(AggregationTemporality) = 1, 'delta_sum', 'sum'), any(IsMonotonic)
FROM otel_metrics_sum
PREWHERE SeriesHash NOT IN known
WHERE Tenant = {tenant:String}
    AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
GROUP BY SeriesHash
UNION ALL
SELECT {tenant:String}, SeriesHash, any(MetricName), any(MetricUnit), any(ServiceName), any(ResourceAttributes), any(Attributes), 'histogram', true
FROM otel_metrics_histogram
PREWHERE SeriesHash NOT IN known
WHERE Tenant = {tenant:String}
    AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
GROUP BY SeriesHash
UNION ALL
SELECT {tenant:String}, SeriesHash, any(MetricName), any(MetricUnit), any(ServiceName), any(ResourceAttributes), any(Attributes), 'histogram', true
FROM otel_metrics_exponential_histogram
PREWHERE SeriesHash NOT IN known
WHERE Tenant = {tenant:String}
    AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
GROUP BY SeriesHash
UNION ALL
SELECT {tenant:String}, SeriesHash, any(MetricName), any(MetricUnit), any(ServiceName), any(ResourceAttributes), any(Attributes), 'histogram', true
FROM otel_metrics_summary
PREWHERE SeriesHash NOT IN known
WHERE Tenant = {tenant:String}
    AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
GROUP BY SeriesHash
