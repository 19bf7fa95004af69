-- An incident's signals in time order; incident_members has the role of each. {start} and {end} bound the onsets that can
-- belong to it, so that only their months are read.
SELECT
    SignalId AS signal_id,
    Rule AS rule,
    Family AS family,
    Kind AS kind,
    EntityType AS entity_type,
    EntityName AS entity_name,
    toUnixTimestamp64Nano(Onset) AS onset,
    toUnixTimestamp64Nano(Until) AS until,
    Score AS score,
    Direction AS direction,
    Value AS value,
    Baseline AS baseline,
    Severity AS severity,
    Explanation AS explanation,
    Evidence AS evidence
FROM signals FINAL
PREWHERE Tenant = {tenant:String}
    AND Onset >= fromUnixTimestamp64Nano({start:Int64}) AND Onset <= fromUnixTimestamp64Nano({end:Int64})
    AND SignalId IN (SELECT SignalId FROM incident_signals FINAL WHERE Tenant = {tenant:String} AND IncidentId = {id:String})
ORDER BY Onset, SignalId
