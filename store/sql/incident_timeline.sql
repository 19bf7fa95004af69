-- An incident's signals in time order with the role each has in it. {start} and {end} bound the
-- onsets that can belong to it, so that only their months are read.
SELECT
    s.SignalId AS signal_id,
    s.Rule AS rule,
    s.Family AS family,
    s.Kind AS kind,
    m.Role AS role,
    s.EntityType AS entity_type,
    s.EntityName AS entity_name,
    toUnixTimestamp64Nano(s.Onset) AS onset,
    toUnixTimestamp64Nano(s.Until) AS until,
    s.Score AS score,
    s.Direction AS direction,
    s.Value AS value,
    s.Baseline AS baseline,
    s.Severity AS severity,
    s.Explanation AS explanation,
    s.Evidence AS evidence
FROM
(
    SELECT * FROM signals FINAL
    PREWHERE Tenant = {tenant:String}
        AND Onset >= fromUnixTimestamp64Nano({start:Int64}) AND Onset <= fromUnixTimestamp64Nano({end:Int64})
        AND SignalId IN (SELECT SignalId FROM incident_signals FINAL WHERE Tenant = {tenant:String} AND IncidentId = {id:String})
) AS s
INNER JOIN
(
    SELECT SignalId, Role FROM incident_signals FINAL
    WHERE Tenant = {tenant:String} AND IncidentId = {id:String}
) AS m ON m.SignalId = s.SignalId
ORDER BY s.Onset, s.SignalId
