-- The truth about correlation work; a queue message is only a hint that a row here wants doing.
CREATE TABLE IF NOT EXISTS correlation_jobs${on_cluster}
(
    Tenant LowCardinality(String),
    JobId String,
    WindowStart DateTime64(9, 'UTC'),
    WindowEnd DateTime64(9, 'UTC'),
    State LowCardinality(String),
    Attempts UInt16,
    StepsDone UInt32,
    StepsTotal UInt32,
    Signals UInt64,
    Incidents UInt64,
    Error String,
    CreatedAt DateTime64(3, 'UTC'),
    UpdatedAt DateTime64(3, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, JobId)
SETTINGS ${durable};
