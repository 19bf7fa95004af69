-- Incidents that overlap (start, end], milliseconds, newest first. One without an end goes on, or was last seen at
-- its update when it is resolved.
SELECT
    IncidentId AS id,
    Title AS title,
    State AS state,
    Severity AS severity,
    toUnixTimestamp64Milli(StartedAt) AS started,
    toUnixTimestamp64Milli(EndedAt) AS ended,
    toUnixTimestamp64Milli(UpdatedAt) AS updated,
    Score AS score,
    RootCauses AS root_causes,
    BlastRadius AS blast_radius
FROM incidents FINAL
WHERE Tenant = {tenant:String}
    AND StartedAt <= fromUnixTimestamp64Milli({end:Int64})
    AND (EndedAt IS NULL OR EndedAt > fromUnixTimestamp64Milli({start:Int64}))
ORDER BY StartedAt DESC, IncidentId DESC
LIMIT {limit:UInt64}
