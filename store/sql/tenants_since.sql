-- Tenants with telemetry in batches from {since} on, or with a correlation job that is not finished.
SELECT DISTINCT Tenant AS tenant FROM
(
    SELECT DISTINCT Tenant FROM otel_traces WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_logs WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_metrics_gauge WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_metrics_sum WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_metrics_histogram WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_metrics_exponential_histogram WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM otel_metrics_summary WHERE Batch >= {since:UInt64}
    UNION ALL
    SELECT DISTINCT Tenant FROM correlation_jobs FINAL WHERE State IN ('queued', 'running')
)
ORDER BY tenant
