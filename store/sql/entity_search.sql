-- Entities by type and text in their name or an alias (in any case), in order of type and name behind (after_type, after_name).
SELECT
    EntityType AS type, EntityName AS name, Aliases AS aliases,
    toUnixTimestamp64Nano(FirstSeen) AS first_seen, toUnixTimestamp64Nano(LastSeen) AS last_seen
FROM entities FINAL
WHERE Tenant = {tenant:String}
-- if type
    AND EntityType = {type:String}
-- end
-- if text
    AND (positionCaseInsensitiveUTF8(EntityName, {text:String}) > 0
        OR arrayExists(a -> positionCaseInsensitiveUTF8(a, {text:String}) > 0, Aliases))
-- end
-- if after_type
    AND (EntityType, EntityName) > ({after_type:String}, {after_name:String})
-- end
ORDER BY type, name
LIMIT {limit:UInt32}
