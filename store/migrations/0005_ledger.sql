-- Which requests which batch of telemetry holds. A batch has a row with an empty Request for each state it
-- reaches, and one row for each of its requests once it is committed. Rows of a batch that was begun and never
-- committed were never acknowledged: they are deleted when a receiver starts.
--
-- One insert into this table is one part and so all or nothing, which is why a day is a partition and At is the
-- same for all rows of an insert. A table and not a file beside the data, because receivers may share a server.
CREATE TABLE IF NOT EXISTS ingest_ledger${on_cluster}
(
    Request FixedString(16) CODEC(NONE),
    Batch UInt64 CODEC(ZSTD(1)),
    State Enum8('begun' = 1, 'committed' = 2, 'discarded' = 3) CODEC(ZSTD(1)),
    Receiver LowCardinality(String) CODEC(ZSTD(1)),
    At DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ${MergeTree}
PARTITION BY toDate(At)
ORDER BY (Request, Batch)
SETTINGS index_granularity = 512, ${durable};
