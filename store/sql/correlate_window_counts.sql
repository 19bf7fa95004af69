-- How far the windows of one job are.
SELECT count() AS total, countIf(State = 'done') AS done, countIf(State IN ('queued', 'running')) AS open,
    countIf(State = 'quarantined') AS quarantined, sum(Signals) AS signals, anyIf(Error, State = 'quarantined') AS error,
    max(Attempts) AS attempts
FROM correlation_windows FINAL
WHERE Tenant = {tenant:String} AND JobId = {job:String}
