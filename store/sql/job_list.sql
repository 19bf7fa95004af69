-- Correlation jobs, newest first, with the windows they gave up.
SELECT
    JobId AS id,
    toUnixTimestamp64Nano(WindowStart) AS start,
    toUnixTimestamp64Nano(WindowEnd) AS end,
    State AS state,
    Attempts AS attempts,
    StepsDone AS steps_done,
    StepsTotal AS steps_total,
    Signals AS signals,
    Incidents AS incidents,
    Error AS error,
    toUnixTimestamp64Milli(CreatedAt) * 1000000 AS created,
    toUnixTimestamp64Milli(UpdatedAt) * 1000000 AS updated
FROM correlation_jobs FINAL
WHERE Tenant = {tenant:String} AND ({state:String} = '' OR State = {state:String})
ORDER BY CreatedAt DESC, JobId
LIMIT {limit:UInt32}
