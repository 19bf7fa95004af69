-- Tables and days in which some batches have rows. Parts of different nodes bear the same names: none is told.
SELECT TableName, '' AS Part, Day, false AS Whole
FROM
(
    SELECT DISTINCT 'otel_traces' AS TableName, _partition_id AS Day FROM otel_traces WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_traces_trace_id_ts', _partition_id FROM otel_traces_trace_id_ts WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_logs', _partition_id FROM otel_logs WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_metrics_gauge', _partition_id FROM otel_metrics_gauge WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_metrics_sum', _partition_id FROM otel_metrics_sum WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_metrics_histogram', _partition_id FROM otel_metrics_histogram WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_metrics_exponential_histogram', _partition_id FROM otel_metrics_exponential_histogram WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'otel_metrics_summary', _partition_id FROM otel_metrics_summary WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'ingest_rejected', _partition_id FROM ingest_rejected WHERE Batch IN {batches:Array(UInt64)}
    UNION ALL SELECT DISTINCT 'ingest_redacted', _partition_id FROM ingest_redacted WHERE Batch IN {batches:Array(UInt64)}
)
