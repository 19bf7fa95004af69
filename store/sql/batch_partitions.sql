-- Day partitions, by table, in which some batches have rows.
SELECT DISTINCT 'otel_traces' AS TableName, _partition_id AS Day FROM otel_traces WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_traces_trace_id_ts' AS TableName, _partition_id AS Day FROM otel_traces_trace_id_ts WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_logs' AS TableName, _partition_id AS Day FROM otel_logs WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_metrics_gauge' AS TableName, _partition_id AS Day FROM otel_metrics_gauge WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_metrics_sum' AS TableName, _partition_id AS Day FROM otel_metrics_sum WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_metrics_histogram' AS TableName, _partition_id AS Day FROM otel_metrics_histogram WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_metrics_exponential_histogram' AS TableName, _partition_id AS Day FROM otel_metrics_exponential_histogram WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'otel_metrics_summary' AS TableName, _partition_id AS Day FROM otel_metrics_summary WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'ingest_rejected' AS TableName, _partition_id AS Day FROM ingest_rejected WHERE Batch IN {batches:Array(UInt64)}
UNION ALL
SELECT DISTINCT 'ingest_redacted' AS TableName, _partition_id AS Day FROM ingest_redacted WHERE Batch IN {batches:Array(UInt64)}
