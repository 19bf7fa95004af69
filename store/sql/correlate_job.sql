-- One correlation job.
SELECT
    JobId AS id, toUnixTimestamp64Nano(WindowStart) AS window_start, toUnixTimestamp64Nano(WindowEnd) AS window_end,
    State AS state, Attempts AS attempts, StepsDone AS steps_done, StepsTotal AS steps_total,
    Signals AS signals, Incidents AS incidents, Error AS error, toUnixTimestamp64Milli(CreatedAt) * 1000000 AS created_ns,
    Version AS version
FROM correlation_jobs FINAL
WHERE Tenant = {tenant:String} AND JobId = {job:String}
