-- What telemetry names: nodes, GPUs, pods, workloads, services, models, changes.
CREATE TABLE IF NOT EXISTS entities${on_cluster}
(
    Tenant LowCardinality(String),
    EntityType LowCardinality(String),
    EntityName String,
    Aliases Array(String),
    FirstSeen DateTime64(9, 'UTC'),
    LastSeen DateTime64(9, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, EntityType, EntityName)
SETTINGS ${durable};

-- Relations with the interval in which they were seen to hold. Src carries, hosts or serves Dst:
-- a fault of Src can break Dst (node -> gpu -> pod -> workload -> service; callee -> caller).
CREATE TABLE IF NOT EXISTS entity_edges${on_cluster}
(
    Tenant LowCardinality(String),
    Kind LowCardinality(String),
    SrcType LowCardinality(String),
    SrcName String,
    DstType LowCardinality(String),
    DstName String,
    ValidFrom DateTime64(9, 'UTC'),
    ValidTo DateTime64(9, 'UTC'),
    Weight Float64,
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, Kind, SrcType, SrcName, DstType, DstName, ValidFrom)
SETTINGS ${durable};
