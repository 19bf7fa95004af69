-- The newest state of deletions of a tenant, newest first; one id or all ('').
SELECT
    Tenant AS tenant, DeletionId AS id, argMax(State, At) AS state, any(Kind) AS kind, any(Name) AS name,
    any(Hash) AS hash, any(Salt) AS salt, any(Who) AS who, any(Cutoff) AS cutoff, max(Removed) AS removed,
    argMax(Remaining, At) AS remaining, argMax(Error, At) AS error,
    toUnixTimestamp64Nano(toDateTime64(min(At), 9)) AS created, toUnixTimestamp64Nano(toDateTime64(max(At), 9)) AS updated
FROM deletions
WHERE Tenant = {tenant:String} AND ({id:String} = '' OR DeletionId = {id:String})
GROUP BY Tenant, DeletionId
ORDER BY created DESC, id
LIMIT {limit:UInt32}
