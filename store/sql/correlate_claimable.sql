-- The next window to do: queued, or held under a lease that has ended; those of {job} first. With {lone} nobody else can
-- be alive, and leases of others count for nothing.
SELECT Tenant AS tenant, JobId AS job, toUnixTimestamp64Nano(WindowStart) AS start, toUnixTimestamp64Nano(WindowEnd) AS end, Attempts AS attempts
FROM correlation_windows FINAL
WHERE State = 'queued' AND LeaseUntil <= fromUnixTimestamp64Milli({now:Int64})
    OR State = 'running' AND (LeaseUntil <= fromUnixTimestamp64Milli({now:Int64}) OR ({lone:UInt8} AND Owner != {owner:String}))
ORDER BY JobId = {job:String} DESC, WindowStart, JobId
LIMIT 1
