-- The signals that some incidents hold, with the life of each.
SELECT
    m.IncidentId AS incident_id, m.SignalId AS id, m.Role AS role,
    s.EntityType AS entity_type, s.EntityName AS entity, s.Onset AS onset, s.Until AS until
FROM (SELECT * FROM incident_signals FINAL WHERE Tenant = {tenant:String} AND has({ids:Array(String)}, IncidentId)) AS m
INNER JOIN (SELECT * FROM signals FINAL WHERE Tenant = {tenant:String}) AS s ON s.SignalId = m.SignalId
ORDER BY incident_id, onset, id
