-- Less to write and to keep.
--
-- Values of resource and of data point attributes come from small sets, so they are kept as numbers in a dictionary:
-- an insert copies numbers where it copied text. Those of spans and log records may all differ, and stay text. What
-- repeats from row to row is worth a higher ZSTD level; random ids are not. A part below 32 MiB, as an insert makes
-- it, keeps all columns in one file: making a file for each was a third and more of writing a part.
--
-- Parts that are there already are rewritten in the background; until then they are converted as they are read.

ALTER TABLE otel_traces${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_traces${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_logs${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN Body CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_logs${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_gauge${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_gauge${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_sum${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_sum${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_histogram${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN BucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN ExplicitBounds CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_histogram${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_exponential_histogram${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN PositiveBucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN NegativeBucketCounts CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_exponential_histogram${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_summary${on_cluster}
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_summary${on_cluster} MODIFY SETTING min_bytes_for_wide_part = 33554432;
