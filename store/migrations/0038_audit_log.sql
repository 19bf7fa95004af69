-- Who did what through the API: what administrators read, what anybody changed, and what was refused. Never what was
-- sent or answered. Scope is what the request needed, Decision allowed or denied, Status the answer. Rows are only added.
CREATE TABLE IF NOT EXISTS audit_log${on_cluster}
(
    At DateTime64(3, 'UTC'),
    Tenant LowCardinality(String),
    Who String,
    Scope LowCardinality(String),
    Action LowCardinality(String),
    Object String,
    Decision LowCardinality(String),
    Status UInt16,
    Reason LowCardinality(String),
    Address String,
    RequestId String
)
ENGINE = ${MergeTree}
PARTITION BY toYYYYMM(At)
ORDER BY (Tenant, At, RequestId)
TTL toDateTime(At) + INTERVAL 400 DAY
SETTINGS ${durable};
