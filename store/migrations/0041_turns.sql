-- Who may do what only one process may do at a time: a row for each process that wants a turn.
-- Of those whose time has not ended, the one that was written first has it. Claimed is the engine's own time, set
-- before the row can be read: whoever reads after writing sees everybody that came before.
CREATE TABLE IF NOT EXISTS correlation_turns${on_cluster}
(
    Tenant LowCardinality(String),
    Turn LowCardinality(String),
    Owner String,
    Claimed DateTime64(9, 'UTC'),
    Until DateTime64(3, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, Turn, Owner)
TTL toDateTime(Until) + INTERVAL 1 DAY
SETTINGS ${durable};
