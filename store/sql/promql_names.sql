-- Which metrics a tenant has in a span of time, by the table they are in.
SELECT 'gauge' AS kind, toString(MetricName) AS name FROM otel_metrics_gauge
WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY name
UNION ALL
SELECT 'sum' AS kind, toString(MetricName) AS name FROM otel_metrics_sum
WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY name
UNION ALL
SELECT 'histogram' AS kind, toString(MetricName) AS name FROM otel_metrics_histogram
WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY name
UNION ALL
SELECT 'exponential_histogram' AS kind, toString(MetricName) AS name FROM otel_metrics_exponential_histogram
WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY name
UNION ALL
SELECT 'summary' AS kind, toString(MetricName) AS name FROM otel_metrics_summary
WHERE Tenant = {tenant:String} AND TimeUnix > fromUnixTimestamp64Milli({start:Int64}) AND TimeUnix <= fromUnixTimestamp64Milli({end:Int64})
GROUP BY name
