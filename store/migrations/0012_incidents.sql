-- Ranked incidents. RootCauses, BlastRadius and Graph hold the API's JSON for those fields.
CREATE TABLE IF NOT EXISTS incidents${on_cluster}
(
    Tenant LowCardinality(String),
    IncidentId String,
    Title String,
    State LowCardinality(String),
    Severity LowCardinality(String),
    StartedAt DateTime64(9, 'UTC'),
    EndedAt Nullable(DateTime64(9, 'UTC')),
    UpdatedAt DateTime64(9, 'UTC'),
    Score Float64,
    RootCauses String,
    BlastRadius String,
    Graph String,
    Entities Array(String),
    SignalCount UInt32,
    Version UInt64,
    IsDeleted UInt8 DEFAULT 0
)
ENGINE = ${ReplacingMergeTree(Version, IsDeleted)}
ORDER BY (Tenant, IncidentId)
SETTINGS ${durable};

-- Which signals an incident holds and what each is to it: cause, effect or context.
CREATE TABLE IF NOT EXISTS incident_signals${on_cluster}
(
    Tenant LowCardinality(String),
    IncidentId String,
    SignalId String,
    Role LowCardinality(String),
    Version UInt64,
    IsDeleted UInt8 DEFAULT 0
)
ENGINE = ${ReplacingMergeTree(Version, IsDeleted)}
ORDER BY (Tenant, IncidentId, SignalId)
SETTINGS ${durable};
