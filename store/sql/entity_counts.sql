-- How much of everything a tenant has, for /api/v1/status.
SELECT 'spans' AS what, count() AS rows FROM otel_traces WHERE Tenant = {tenant:String}
UNION ALL SELECT 'log_records', count() FROM otel_logs WHERE Tenant = {tenant:String}
UNION ALL SELECT 'metric_points', sum(points) FROM
(
    SELECT count() AS points FROM otel_metrics_gauge WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_sum WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_histogram WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_exponential_histogram WHERE Tenant = {tenant:String}
    UNION ALL SELECT count() FROM otel_metrics_summary WHERE Tenant = {tenant:String}
)
UNION ALL SELECT 'signals', count() FROM signals FINAL WHERE Tenant = {tenant:String}
UNION ALL SELECT 'entities', count() FROM entities FINAL WHERE Tenant = {tenant:String}
UNION ALL SELECT 'incidents', count() FROM incidents FINAL WHERE Tenant = {tenant:String}
