-- The incidents that hold a signal.
SELECT IncidentId AS id
FROM incident_signals FINAL
WHERE Tenant = {tenant:String} AND SignalId = {id:String}
ORDER BY id
