-- Detector output. A row's identity is its content's hash, so a window may be recomputed at will:
-- the newest Version wins and IsDeleted withdraws a signal that a recomputation no longer finds.
CREATE TABLE IF NOT EXISTS signals${on_cluster}
(
    Tenant LowCardinality(String),
    SignalId String,
    Rule LowCardinality(String),
    Family LowCardinality(String),
    Kind LowCardinality(String),
    Role LowCardinality(String),
    EntityType LowCardinality(String),
    EntityName String,
    Onset DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    Until DateTime64(9, 'UTC') CODEC(Delta(8), ZSTD(1)),
    Score Float64,
    Direction Int8,
    Value Float64,
    Baseline Float64,
    Severity LowCardinality(String),
    Explanation String,
    Evidence String,
    WindowStart DateTime64(9, 'UTC'),
    WindowEnd DateTime64(9, 'UTC'),
    Version UInt64,
    IsDeleted UInt8 DEFAULT 0
)
ENGINE = ${ReplacingMergeTree(Version, IsDeleted)}
PARTITION BY toYYYYMM(Onset)
ORDER BY (Tenant, Onset, SignalId)
SETTINGS ${durable};

-- A rule that raised: the pass goes on and an operator can see which rule, when and why.
CREATE TABLE IF NOT EXISTS rule_failures${on_cluster}
(
    Tenant LowCardinality(String),
    Rule LowCardinality(String),
    WindowStart DateTime64(9, 'UTC'),
    WindowEnd DateTime64(9, 'UTC'),
    Error String,
    At DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${ReplacingMergeTree(At)}
ORDER BY (Tenant, Rule, WindowStart, WindowEnd)
SETTINGS ${durable};
