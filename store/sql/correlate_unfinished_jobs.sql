-- Jobs that no worker has finished, oldest first.
SELECT Tenant AS tenant, JobId AS id
FROM correlation_jobs FINAL
WHERE State IN ('queued', 'running')
ORDER BY CreatedAt, JobId
