-- Items stored of each signal, of all tenants: from the parts' headers, without reading a row.
SELECT
    multiIf(name = 'otel_traces', 'traces', name = 'otel_logs', 'logs', 'metrics') AS signal,
    sum(ifNull(total_rows, 0)) AS items
FROM system.tables
WHERE database = currentDatabase() AND name IN
(
    'otel_traces', 'otel_logs', 'otel_metrics_gauge', 'otel_metrics_sum', 'otel_metrics_histogram',
    'otel_metrics_exponential_histogram', 'otel_metrics_summary'
)
GROUP BY signal
