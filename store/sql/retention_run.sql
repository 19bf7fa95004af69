-- What became of one run of retention that a tenant asked for.
SELECT
    Tenant AS tenant, RunId AS id, argMax(State, At) AS state, argMin(Who, At) AS who, argMax(Removed, At) AS removed,
    argMax(Error, At) AS error, toUnixTimestamp64Nano(toDateTime64(min(At), 9)) AS asked
FROM retention_runs
WHERE Tenant = {tenant:String} AND RunId = {id:String}
GROUP BY Tenant, RunId
