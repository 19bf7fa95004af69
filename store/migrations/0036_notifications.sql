-- What was last told of an incident to each target of the notification file, and whether it arrived. A state is told once;
-- what did not arrive is tried again, later each time.
CREATE TABLE IF NOT EXISTS notifications${on_cluster}
(
    Tenant LowCardinality(String),
    Target LowCardinality(String),
    IncidentId String,
    State LowCardinality(String),
    Delivered Bool,
    Attempts UInt32,
    Error String,
    At DateTime64(3, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, Target, IncidentId)
TTL toDateTime(At) + INTERVAL 90 DAY
SETTINGS ${durable};
