-- Incidents that overlap [start, end) and the signals they hold.
SELECT i.IncidentId AS incident_id, i.StartedAt AS started_at, s.SignalId AS id
FROM (SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String}) AS i
LEFT JOIN (SELECT * FROM incident_signals FINAL WHERE Tenant = {tenant:String}) AS s ON s.IncidentId = i.IncidentId
WHERE i.StartedAt < fromUnixTimestamp64Nano({end:Int64}) AND i.UpdatedAt >= fromUnixTimestamp64Nano({start:Int64})
