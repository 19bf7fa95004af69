-- Incidents of some severities, when they were, and until when they pin the telemetry around them beyond its days.
-- One that goes on is pinned up to now, one that was resolved without an end up to its last update.
WITH if(State = 'resolved', UpdatedAt, fromUnixTimestamp64Nano({now:Int64}, 'UTC')) AS known
SELECT
    Tenant AS tenant,
    IncidentId AS id,
    Title AS title,
    Severity AS severity,
    toUnixTimestamp64Nano(StartedAt) AS start,
    toUnixTimestamp64Nano(coalesce(EndedAt, known)) AS end,
    toUnixTimestamp64Nano(addMonths(coalesce(EndedAt, known), {months:UInt16})) AS until
FROM incidents FINAL
WHERE Severity IN {severities:Array(String)}
ORDER BY tenant, start, id
