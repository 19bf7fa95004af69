-- What people decided about incidents, and what holds whatever a later pass computes. State is '' (none), acknowledged,
-- resolved, open (reopened: does not end by itself) or held (reopened and acknowledged). A resolution holds until there is
-- a symptom that began after Seen, the last moment that was known then, and is not in Known.
CREATE TABLE IF NOT EXISTS incident_decisions${on_cluster}
(
    Tenant LowCardinality(String),
    IncidentId String,
    State LowCardinality(String),
    Assignee String,
    Seen DateTime64(9, 'UTC'),
    Known Array(String),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, IncidentId)
SETTINGS ${durable};

-- Signals that belong to an incident because somebody merged or split: a pass puts them there, and what is new of the
-- same entity with them. Onset and Until say how far back a pass has to look for all of them.
CREATE TABLE IF NOT EXISTS incident_pins${on_cluster}
(
    Tenant LowCardinality(String),
    SignalId String,
    IncidentId String,
    Onset DateTime64(9, 'UTC'),
    Until DateTime64(9, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, SignalId)
SETTINGS ${durable};

-- What people said of root causes: right or wrong. Rank (0: it was no candidate), Score and Terms are what was shown to
-- them, so that ranking can be calibrated with it.
CREATE TABLE IF NOT EXISTS incident_feedback${on_cluster}
(
    Tenant LowCardinality(String),
    IncidentId String,
    EntityType LowCardinality(String),
    EntityName String,
    Verdict LowCardinality(String),
    Kind LowCardinality(String),
    Rank UInt16,
    Score Float64,
    Terms String,
    Who String,
    Text String,
    At DateTime64(3, 'UTC'),
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY (Tenant, IncidentId, EntityType, EntityName)
SETTINGS ${durable};

-- Answers to requests with an Idempotency-Key, for a day: the same request again gets the same answer.
CREATE TABLE IF NOT EXISTS idempotent_answers${on_cluster}
(
    Tenant LowCardinality(String),
    Key String,
    Request String,
    Status UInt16,
    Answer String,
    At DateTime64(3, 'UTC')
)
ENGINE = ${ReplacingMergeTree(At)}
ORDER BY (Tenant, Key)
TTL toDateTime(At) + INTERVAL 1 DAY
SETTINGS ${durable};

-- Who made an entry, '' for the correlator, and in which words.
ALTER TABLE incident_events${on_cluster}
    ADD COLUMN IF NOT EXISTS Who String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS Text String CODEC(ZSTD(1));
