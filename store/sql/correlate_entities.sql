-- Every entity of the tenant with its aliases.
SELECT EntityType AS type, EntityName AS name, Aliases AS aliases, FirstSeen AS first_seen, LastSeen AS last_seen
FROM entities FINAL
WHERE Tenant = {tenant:String}
ORDER BY type, name
