-- What became of incidents, in order: opened, root_changed, severity_changed, resolved, reopened, split (from Other),
-- merged (into Other), absorbed (Other was merged into it), withdrawn. Written once for each change, never edited;
-- a pass that changes nothing writes nothing.
CREATE TABLE IF NOT EXISTS incident_events${on_cluster}
(
    Tenant LowCardinality(String),
    IncidentId String,
    At DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Kind LowCardinality(String),
    Other String CODEC(ZSTD(1)),
    Before String CODEC(ZSTD(1)),
    After String CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, IncidentId, At, Kind)
SETTINGS ${durable};
