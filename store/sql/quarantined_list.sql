-- Windows that were given up, of one job or ('') of all.
SELECT JobId AS job, toUnixTimestamp64Nano(WindowStart) AS start, toUnixTimestamp64Nano(WindowEnd) AS end, Attempts AS attempts,
    Error AS error, toUnixTimestamp64Milli(UpdatedAt) * 1000000 AS updated
FROM correlation_windows FINAL
WHERE Tenant = {tenant:String} AND State = 'quarantined' AND ({job:String} = '' OR JobId = {job:String})
ORDER BY WindowStart, JobId
LIMIT {limit:UInt32}
