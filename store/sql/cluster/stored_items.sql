-- Items stored of each signal, of all tenants, from one replica of each shard: from the parts' headers, without reading a row.
SELECT
    multiIf(name = 'otel_traces_local', 'traces', name = 'otel_logs_local', 'logs', 'metrics') AS signal,
    sum(ifNull(total_rows, 0)) AS items
FROM cluster({cluster:String}, system.tables)
WHERE database = {database:String} AND name IN
(
    'otel_traces_local', 'otel_logs_local', 'otel_metrics_gauge_local', 'otel_metrics_sum_local', 'otel_metrics_histogram_local',
    'otel_metrics_exponential_histogram_local', 'otel_metrics_summary_local'
)
GROUP BY signal
