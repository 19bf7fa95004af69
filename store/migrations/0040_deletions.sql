-- Deletions that somebody asked for, a row for each state they reach: queued, running, purging (the old files are still
-- on disk), done, failed. Rows are added and never edited. What was to be deleted is told by its hash
-- (sipHash128Keyed with the two halves of Salt as key), never by its value; Name is the key of an attribute.
-- Cutoff: telemetry of batches from before this number is meant.
CREATE TABLE IF NOT EXISTS deletions${on_cluster}
(
    Tenant LowCardinality(String),
    DeletionId String,
    State LowCardinality(String),
    Kind LowCardinality(String),
    Name String,
    Hash String,
    Salt String,
    Who String,
    Cutoff UInt64,
    Removed UInt64,
    Remaining UInt64,
    Error String,
    At DateTime64(6, 'UTC')
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, DeletionId, At)
SETTINGS ${durable};

-- What a deletion found, by table and partition, written down before it is deleted. A row without a partition says that a
-- table was gone through; whoever takes a deletion up leaves it out. Round 0 is the last count, over everything.
CREATE TABLE IF NOT EXISTS deletion_counts${on_cluster}
(
    Tenant LowCardinality(String),
    DeletionId String,
    TableName LowCardinality(String),
    PartitionId String,
    Round UInt8,
    Found UInt64,
    Remaining UInt64,
    At DateTime64(6, 'UTC')
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, DeletionId, TableName, PartitionId, At)
SETTINGS ${durable};

-- Values of deletions that are under way. A deletion's partition is dropped as soon as it needs the value no more.
CREATE TABLE IF NOT EXISTS deletion_work${on_cluster}
(
    Tenant LowCardinality(String),
    DeletionId String,
    Value String
)
ENGINE = ${MergeTree}
PARTITION BY DeletionId
ORDER BY (Tenant, DeletionId)
SETTINGS ${durable};
