-- Parts, by table, in which some batches have rows, and whether nothing else is in them.
SELECT 'otel_traces' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_traces WHERE _part IN (SELECT DISTINCT _part FROM otel_traces WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_traces_trace_id_ts' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_traces_trace_id_ts WHERE _part IN (SELECT DISTINCT _part FROM otel_traces_trace_id_ts WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_logs' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_logs WHERE _part IN (SELECT DISTINCT _part FROM otel_logs WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_metrics_gauge' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_metrics_gauge WHERE _part IN (SELECT DISTINCT _part FROM otel_metrics_gauge WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_metrics_sum' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_metrics_sum WHERE _part IN (SELECT DISTINCT _part FROM otel_metrics_sum WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_metrics_histogram' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_metrics_histogram WHERE _part IN (SELECT DISTINCT _part FROM otel_metrics_histogram WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_metrics_exponential_histogram' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_metrics_exponential_histogram WHERE _part IN (SELECT DISTINCT _part FROM otel_metrics_exponential_histogram WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'otel_metrics_summary' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM otel_metrics_summary WHERE _part IN (SELECT DISTINCT _part FROM otel_metrics_summary WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'ingest_rejected' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM ingest_rejected WHERE _part IN (SELECT DISTINCT _part FROM ingest_rejected WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
UNION ALL
SELECT 'ingest_redacted' AS TableName, _part AS Part, any(_partition_id) AS Day, countIf(Batch NOT IN {batches:Array(UInt64)}) = 0 AS Whole
FROM ingest_redacted WHERE _part IN (SELECT DISTINCT _part FROM ingest_redacted WHERE Batch IN {batches:Array(UInt64)}) GROUP BY _part
