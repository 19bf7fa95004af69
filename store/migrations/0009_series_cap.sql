-- Tenants that had as many metric series within an hour as they may, and the series they go on with: points of any
-- other of their series are refused until the tenant is taken out again. The landing views look here, so these
-- tables come before them.
CREATE TABLE IF NOT EXISTS series_capped${on_cluster}
(
    Tenant LowCardinality(String),
    At DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ${MergeTree}
ORDER BY Tenant
SETTINGS ${durable};

-- Id: cityHash64(Tenant, SeriesHash).
CREATE TABLE IF NOT EXISTS series_known${on_cluster}
(
    Tenant LowCardinality(String),
    Id UInt64 CODEC(ZSTD(1))
)
ENGINE = ${MergeTree}
ORDER BY (Tenant, Id)
SETTINGS ${durable};
