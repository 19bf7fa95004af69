-- Runs of retention that nobody has done yet, oldest first: a run goes through all tenants.
SELECT
    Tenant AS tenant, RunId AS id, argMax(State, At) AS state, argMin(Who, At) AS who, argMax(Removed, At) AS removed,
    argMax(Error, At) AS error, toUnixTimestamp64Nano(toDateTime64(min(At), 9)) AS asked
FROM retention_runs
GROUP BY Tenant, RunId
HAVING state = 'asked'
ORDER BY asked
LIMIT {limit:UInt32}
