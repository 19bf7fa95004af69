CREATE TABLE IF NOT EXISTS otel_traces_local ON CLUSTER `main`
(
    Timestamp DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested(Timestamp DateTime64(9, 'UTC'), Name LowCardinality(String), Attributes Map(LowCardinality(String), String), DroppedAttrCount UInt32) CODEC(ZSTD(1)),
    Links Nested(TraceId String, SpanId String, TraceState String, Attributes Map(LowCardinality(String), String), DroppedAttrCount UInt32, Flags UInt32) CODEC(ZSTD(1)),
    ResourceAttributeItems Array(String) ALIAS arrayMap(kv -> concat(kv.1, '=', kv.2), CAST(ResourceAttributes, 'Array(Tuple(String, String))')),
    SpanAttributeItems Array(String) ALIAS arrayMap(kv -> concat(kv.1, '=', kv.2), CAST(SpanAttributes, 'Array(Tuple(String, String))')),
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    InsertTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta(8), ZSTD(1)),
    Batch UInt64 CODEC(Delta(8), ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributeTypes Array(Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'kvlist' = 6, 'bytes' = 7)) CODEC(ZSTD(1)),
    ResourceDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    SpanAttributeTypes Array(Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'kvlist' = 6, 'bytes' = 7)) CODEC(ZSTD(1)),
    DroppedAttrCount UInt32 CODEC(ZSTD(1)),
    DroppedEventsCount UInt32 CODEC(ZSTD(1)),
    DroppedLinksCount UInt32 CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_insert_time InsertTime TYPE minmax GRANULARITY 1,
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(Timestamp)
ORDER BY (Tenant, toStartOfHour(Timestamp), ServiceName, SpanName, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS otel_traces ON CLUSTER `main` AS telemetry.otel_traces_local
ENGINE = Distributed('main', 'telemetry', 'otel_traces_local', cityHash64(Tenant, TraceId));

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts_local ON CLUSTER `main`
(
    TraceId String CODEC(ZSTD(1)),
    Start DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    End DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Batch UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts ON CLUSTER `main` AS telemetry.otel_traces_trace_id_ts_local
ENGINE = Distributed('main', 'telemetry', 'otel_traces_trace_id_ts_local', cityHash64(Tenant, TraceId));

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv ON CLUSTER `main` TO otel_traces_trace_id_ts AS
SELECT TraceId, toDateTime(min(Timestamp), 'UTC') AS Start, toDateTime(max(Timestamp), 'UTC') AS End, Tenant, Batch
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId, Tenant, Batch, toDate(Timestamp);

CREATE TABLE IF NOT EXISTS ingest_ledger_local ON CLUSTER `main`
(
    Request FixedString(16) CODEC(NONE),
    Batch UInt64 CODEC(ZSTD(1)),
    State Enum8('begun' = 1, 'committed' = 2, 'discarded' = 3) CODEC(ZSTD(1)),
    Receiver LowCardinality(String) CODEC(ZSTD(1)),
    At DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toDate(At)
ORDER BY (Request, Batch)
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS ingest_ledger ON CLUSTER `main` AS telemetry.ingest_ledger_local
ENGINE = Distributed('main', 'telemetry', 'ingest_ledger_local', 0);

CREATE TABLE IF NOT EXISTS series_capped_local ON CLUSTER `main`
(
    Tenant LowCardinality(String),
    At DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY Tenant
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS series_capped ON CLUSTER `main` AS telemetry.series_capped_local
ENGINE = Distributed('main', 'telemetry', 'series_capped_local', cityHash64(Tenant));

CREATE TABLE IF NOT EXISTS series_known_local ON CLUSTER `main`
(
    Tenant LowCardinality(String),
    Id UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY (Tenant, Id)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS series_known ON CLUSTER `main` AS telemetry.series_known_local
ENGINE = Distributed('main', 'telemetry', 'series_known_local', Id);

CREATE TABLE IF NOT EXISTS incidents_local ON CLUSTER `main`
(
    Tenant LowCardinality(String),
    IncidentId String,
    Title String,
    State LowCardinality(String),
    Severity LowCardinality(String),
    StartedAt DateTime64(9, 'UTC'),
    EndedAt Nullable(DateTime64(9, 'UTC')),
    UpdatedAt DateTime64(9, 'UTC'),
    Score Float64,
    RootCauses String,
    BlastRadius String,
    Graph String,
    Entities Array(String),
    SignalCount UInt32,
    Version UInt64,
    IsDeleted UInt8 DEFAULT 0
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', Version, IsDeleted)
ORDER BY (Tenant, IncidentId)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS incidents ON CLUSTER `main` AS telemetry.incidents_local
ENGINE = Distributed('main', 'telemetry', 'incidents_local', cityHash64(Tenant));

CREATE TABLE IF NOT EXISTS incident_signals_local ON CLUSTER `main`
(
    Tenant LowCardinality(String),
    IncidentId String,
    SignalId String,
    Role LowCardinality(String),
    Version UInt64,
    IsDeleted UInt8 DEFAULT 0
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', Version, IsDeleted)
ORDER BY (Tenant, IncidentId, SignalId)
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1, min_rows_to_fsync_after_merge = 1, min_compressed_bytes_to_fsync_after_merge = 1;

CREATE TABLE IF NOT EXISTS incident_signals ON CLUSTER `main` AS telemetry.incident_signals_local
ENGINE = Distributed('main', 'telemetry', 'incident_signals_local', cityHash64(Tenant));

ALTER TABLE otel_traces_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_traces ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN SpanAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_traces_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_logs_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN Body CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_logs ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributes CODEC(ZSTD(3)),
    MODIFY COLUMN Body CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN LogAttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_logs_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_gauge_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_gauge ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_gauge_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_sum_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_sum ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_sum_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_histogram_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN BucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN ExplicitBounds CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_histogram ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN BucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN ExplicitBounds CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_histogram_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_exponential_histogram_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN PositiveBucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN NegativeBucketCounts CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_exponential_histogram ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN PositiveBucketCounts CODEC(ZSTD(3)),
    MODIFY COLUMN NegativeBucketCounts CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_exponential_histogram_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE otel_metrics_summary_local ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_summary ON CLUSTER `main`
    MODIFY COLUMN ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    MODIFY COLUMN MetricDescription CODEC(ZSTD(3)),
    MODIFY COLUMN MetricUnit CODEC(ZSTD(3)),
    MODIFY COLUMN ResourceAttributeTypes CODEC(ZSTD(3)),
    MODIFY COLUMN AttributeTypes CODEC(ZSTD(3))
SETTINGS alter_sync = 0;

ALTER TABLE otel_metrics_summary_local ON CLUSTER `main` MODIFY SETTING min_bytes_for_wide_part = 33554432;

ALTER TABLE correlation_passes_local ON CLUSTER `main` ADD COLUMN IF NOT EXISTS TracesOneIn UInt32 DEFAULT 1;

ALTER TABLE correlation_passes ON CLUSTER `main` ADD COLUMN IF NOT EXISTS TracesOneIn UInt32 DEFAULT 1;
