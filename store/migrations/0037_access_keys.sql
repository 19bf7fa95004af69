-- Access keys: whose they are, what they allow and until when. Hash is SHA-256 of the key in hexadecimal: the key itself,
-- 256 random bits, is kept nowhere. Shown is its beginning, by which people tell keys apart. A revoked key stays, so that
-- the last one that is revoked opens nothing.
CREATE TABLE IF NOT EXISTS access_keys${on_cluster}
(
    KeyId String,
    Hash String,
    Shown String,
    Name String,
    Tenant LowCardinality(String),
    Scopes Array(LowCardinality(String)),
    CreatedAt DateTime64(3, 'UTC'),
    CreatedBy String,
    ExpiresAt Nullable(DateTime64(3, 'UTC')),
    RevokedAt Nullable(DateTime64(3, 'UTC')),
    RevokedBy String,
    Version UInt64
)
ENGINE = ${ReplacingMergeTree(Version)}
ORDER BY KeyId
SETTINGS ${durable};
