-- Runs of retention that were asked for, newest first; one id or all ('').
SELECT
    RunId AS id, argMax(State, At) AS state, argMin(Who, At) AS who, argMax(Removed, At) AS removed,
    argMax(Error, At) AS error, toUnixTimestamp64Nano(toDateTime64(min(At), 9)) AS asked
FROM retention_runs
WHERE Tenant = {tenant:String} AND ({id:String} = '' OR RunId = {id:String})
GROUP BY RunId
ORDER BY asked DESC
LIMIT {limit:UInt32}
