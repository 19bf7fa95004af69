-- The incident {id} and the {among} latest that began before {before}; whoever compares them asks for no more than that.
SELECT
    IncidentId AS id,
    Title AS title,
    State AS state,
    Severity AS severity,
    toUnixTimestamp64Nano(StartedAt) AS started,
    toUnixTimestamp64Nano(EndedAt) AS ended,
    Version AS version
FROM incidents FINAL
WHERE Tenant = {tenant:String}
    AND (StartedAt < fromUnixTimestamp64Nano({before:Int64}) OR IncidentId = {id:String})
ORDER BY IncidentId = {id:String} DESC, StartedAt DESC, IncidentId
LIMIT {among:UInt32}
