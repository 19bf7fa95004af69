SELECT
    IncidentId AS id,
    Title AS title,
    State AS state,
    Severity AS severity,
    toUnixTimestamp64Nano(StartedAt) AS started,
    toUnixTimestamp64Nano(EndedAt) AS ended,
    toUnixTimestamp64Nano(UpdatedAt) AS updated,
    Score AS score,
    RootCauses AS root_causes,
    BlastRadius AS blast_radius,
    Graph AS graph,
    SignalCount AS signal_count
FROM incidents FINAL
-- Told before FINAL: the key decides, and no other column of other incidents is read.
PREWHERE Tenant = {tenant:String} AND IncidentId = {id:String}
