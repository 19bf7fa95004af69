-- Whole hours of the metrics that are watched for slow drift, one row a series and hour. Correlation adds an hour when it
-- first reaches its end (store/sql/learn_hours.sql), so that four weeks are not read from points again and again.
-- SeriesHash 0 says that an hour was added.
CREATE TABLE IF NOT EXISTS metric_hours${on_cluster}
(
    Tenant LowCardinality(String),
    Hour DateTime('UTC'),
    SeriesHash UInt64,
    Mean Float64 CODEC(ZSTD(1)),
    Spread Float64 CODEC(ZSTD(1)),
    Growth Float64 CODEC(ZSTD(1)),
    Samples UInt32 CODEC(ZSTD(1)),
    Learned DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${ReplacingMergeTree(Learned)}
ORDER BY (Tenant, Hour, SeriesHash)
TTL toDateTime(Learned) + INTERVAL 35 DAY
SETTINGS ${durable};
