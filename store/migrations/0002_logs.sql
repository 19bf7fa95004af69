-- Log records as the OpenTelemetry Collector's clickhouseexporter (>= 0.151) stores them; our own columns follow theirs.
-- Source: https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/exporter/clickhouseexporter
--
-- Timestamp falls back to the observed time, then to the time of arrival. The exporter's
-- __otel_materialized_* columns are aliases here: the same names, nothing to pay on insert.
CREATE TABLE IF NOT EXISTS otel_logs${on_cluster}
(
    Timestamp DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName String CODEC(ZSTD(1)),
    `__otel_materialized_k8s.cluster.name` String ALIAS ResourceAttributes['k8s.cluster.name'],
    `__otel_materialized_k8s.container.name` String ALIAS ResourceAttributes['k8s.container.name'],
    `__otel_materialized_k8s.deployment.name` String ALIAS ResourceAttributes['k8s.deployment.name'],
    `__otel_materialized_k8s.namespace.name` String ALIAS ResourceAttributes['k8s.namespace.name'],
    `__otel_materialized_k8s.node.name` String ALIAS ResourceAttributes['k8s.node.name'],
    `__otel_materialized_k8s.pod.name` String ALIAS ResourceAttributes['k8s.pod.name'],
    `__otel_materialized_k8s.pod.uid` String ALIAS ResourceAttributes['k8s.pod.uid'],
    `__otel_materialized_deployment.environment.name` String ALIAS ResourceAttributes['deployment.environment.name'],
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    InsertTime DateTime64(3, 'UTC') DEFAULT now64(3) CODEC(Delta(8), ZSTD(1)),
    Batch UInt64 CODEC(Delta(8), ZSTD(1)),
    ObservedTimestamp DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    BodyType Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'kvlist' = 6, 'bytes' = 7) CODEC(ZSTD(1)),
    ResourceAttributeTypes Array(Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'kvlist' = 6, 'bytes' = 7)) CODEC(ZSTD(1)),
    ResourceDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    LogAttributeTypes Array(Enum8('none' = 0, 'string' = 1, 'bool' = 2, 'int' = 3, 'double' = 4, 'array' = 5, 'kvlist' = 6, 'bytes' = 7)) CODEC(ZSTD(1)),
    DroppedAttrCount UInt32 CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_insert_time InsertTime TYPE minmax GRANULARITY 1,
    INDEX idx_batch Batch TYPE minmax GRANULARITY 1
)
ENGINE = ${MergeTree}
PARTITION BY toDate(Timestamp)
ORDER BY (Tenant, toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
SETTINGS index_granularity = 8192, ttl_only_drop_parts = 1, ${durable};
