-- The windows of correlation jobs: what is to be done, who holds it until when, and what could not be done.
-- A worker takes a window by writing a lease; when it dies the lease ends and another worker takes the window again.
CREATE TABLE IF NOT EXISTS correlation_windows${on_cluster}
(
    Tenant LowCardinality(String),
    JobId String,
    WindowStart DateTime64(9, 'UTC'),
    WindowEnd DateTime64(9, 'UTC'),
    State LowCardinality(String),
    Attempts UInt16,
    LeaseUntil DateTime64(3, 'UTC'),
    Owner String,
    Signals UInt64,
    Error String,
    UpdatedAt DateTime64(3, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, JobId, WindowStart)
TTL toDateTime(UpdatedAt) + INTERVAL 90 DAY
SETTINGS ${durable};

-- When which stretch of time was judged, and by which policy: telemetry that came later is judged again.
CREATE TABLE IF NOT EXISTS correlation_passes${on_cluster}
(
    Tenant LowCardinality(String),
    WindowStart DateTime64(9, 'UTC'),
    WindowEnd DateTime64(9, 'UTC'),
    JudgedAt DateTime64(3, 'UTC'),
    Signals UInt64,
    Failures UInt16,
    Policy String
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, WindowEnd)
TTL toDateTime(JudgedAt) + INTERVAL 30 DAY
SETTINGS ${durable};
