-- Retention policies, in the order in which they came into force: a new one is applied after a while, so that a mistake
-- can be taken back. Name is a hash of what it says, Text the policy as JSON; '' keeps everything.
CREATE TABLE IF NOT EXISTS retention_policies${on_cluster}
(
    Name String,
    Text String,
    At DateTime64(3, 'UTC')
)
ENGINE = ${MergeTree}
ORDER BY At
SETTINGS ${durable};

-- What retention removed: one row for each table, day and tenant of a run. Day is '' where rows go by their age, and
-- the tenant is '' where a day went as a whole.
CREATE TABLE IF NOT EXISTS retention_log${on_cluster}
(
    Tenant LowCardinality(String),
    TableName LowCardinality(String),
    Day LowCardinality(String),
    Removed UInt64,
    Pinned UInt64,
    Policy LowCardinality(String),
    At DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, At, TableName, Day)
SETTINGS ${durable};

-- Runs of retention that somebody asked for, a row for each state: asked, done, failed. The newest counts.
CREATE TABLE IF NOT EXISTS retention_runs${on_cluster}
(
    Tenant LowCardinality(String),
    RunId String,
    State LowCardinality(String),
    Who String,
    Removed UInt64,
    Error String,
    At DateTime64(6, 'UTC')
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, RunId, At)
SETTINGS ${durable};
