-- What each metric series is, once: reading names and labels from every point of an hour cost more than its values.
-- A series is named by a hash of all that is told here but the unit and kind, so a row never goes stale. Correlation
-- adds the series it meets for the first time (store/sql/learn_series.sql); receiving telemetry pays nothing for it.
CREATE TABLE IF NOT EXISTS metric_identities${on_cluster}
(
    Tenant LowCardinality(String),
    SeriesHash UInt64,
    MetricName LowCardinality(String),
    MetricUnit LowCardinality(String),
    ServiceName LowCardinality(String),
    ResourceAttributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    Attributes Map(LowCardinality(String), LowCardinality(String)) CODEC(ZSTD(3)),
    Type LowCardinality(String),
    Monotonic Bool,
    Learned DateTime('UTC') DEFAULT now()
)
ENGINE = ${ReplacingMergeTree(Learned)}
ORDER BY (Tenant, SeriesHash)
TTL Learned + INTERVAL 30 DAY
SETTINGS ${durable};
