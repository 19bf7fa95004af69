-- The next window to do: queued, or held under a lease that has ended; those of {job} first. With {lone} nobody else can
-- be alive, and leases of others count for nothing. Time is the engine's: the clocks of workers may differ. No lease can
-- be further ahead than {longest} milliseconds, unless the clock was set back: such a one has ended.
WITH toUnixTimestamp64Milli(now64(3)) AS clock, toUnixTimestamp64Milli(LeaseUntil) AS until
SELECT Tenant AS tenant, JobId AS job, toUnixTimestamp64Nano(WindowStart) AS start,
    toUnixTimestamp64Nano(WindowEnd) AS end, Attempts AS attempts, Version AS version, clock AS now
FROM correlation_windows FINAL
WHERE State IN ('queued', 'running')
    AND (
        until <= clock OR until > clock + {longest:Int64}
        OR State = 'running' AND {lone:UInt8} AND Owner != {owner:String}
    )
ORDER BY JobId = {job:String} DESC, WindowStart, JobId
LIMIT 1
