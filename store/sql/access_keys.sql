SELECT
    KeyId AS id,
    Hash AS hash,
    Shown AS shown,
    Name AS name,
    Tenant AS tenant,
    Scopes AS scopes,
    toUnixTimestamp64Milli(CreatedAt) AS created,
    CreatedBy AS created_by,
    if(ExpiresAt IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(ExpiresAt))) AS expires,
    if(RevokedAt IS NULL, NULL, toUnixTimestamp64Milli(assumeNotNull(RevokedAt))) AS revoked,
    RevokedBy AS revoked_by
FROM access_keys FINAL
ORDER BY created, id
LIMIT {limit:UInt32}
