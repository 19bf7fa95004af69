-- The role that each of its signals has in an incident. Asked beside the signals: joining the two takes the engine longer.
SELECT SignalId AS signal_id, Role AS role
FROM incident_signals FINAL
PREWHERE Tenant = {tenant:String} AND IncidentId = {id:String}
