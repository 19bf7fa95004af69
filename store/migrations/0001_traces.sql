-- Spans as the OpenTelemetry Collector's clickhouseexporter (>= 0.151) stores them, so that Grafana,
-- HyperDX and existing SQL work unchanged; our own columns follow theirs.
-- Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter
--
-- Time comes first in the sort key, because correlation reads windows and dashboards read ranges.
-- *AttributeTypes say, pair by pair, which member of OTLP's AnyValue was set: '' and unset differ.
CREATE TABLE IF NOT EXISTS otel_traces${on_cluster}
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
ENGINE = ${MergeTree}
PARTITION BY toDate(Timestamp)
ORDER BY (Tenant, toStartOfHour(Timestamp), ServiceName, SpanName, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, ${durable};

-- When a trace ran, for looking it up by id without reading every day. One row per trace and
-- batch, not merged further: a batch that is rolled back takes its rows along.
CREATE TABLE IF NOT EXISTS otel_traces_trace_id_ts${on_cluster}
(
    TraceId String CODEC(ZSTD(1)),
    Start DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    End DateTime('UTC') CODEC(Delta(4), ZSTD(1)),
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Batch UInt64 CODEC(Delta(8), ZSTD(1)),
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1
)
ENGINE = ${MergeTree}
PARTITION BY toDate(Start)
ORDER BY (TraceId, Start)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, ${durable};

CREATE MATERIALIZED VIEW IF NOT EXISTS otel_traces_trace_id_ts_mv${on_cluster} TO otel_traces_trace_id_ts AS
SELECT TraceId, toDateTime(min(Timestamp), 'UTC') AS Start, toDateTime(max(Timestamp), 'UTC') AS End, Tenant, Batch
FROM otel_traces
WHERE TraceId != ''
GROUP BY TraceId, Tenant, Batch, toDate(Timestamp);
