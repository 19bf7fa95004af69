SELECT
    EntityType AS type,
    EntityName AS name,
    Aliases AS aliases,
    toUnixTimestamp64Nano(FirstSeen) AS first_seen,
    toUnixTimestamp64Nano(LastSeen) AS last_seen
FROM entities FINAL
WHERE Tenant = {tenant:String} AND EntityType = {type:String} AND EntityName = {name:String}
