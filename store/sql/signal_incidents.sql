-- The incidents that hold each of some signals; one that none holds is not there.
SELECT SignalId AS signal_id, arraySort(groupArray(IncidentId)) AS held
FROM incident_signals FINAL
WHERE Tenant = {tenant:String} AND SignalId IN {ids:Array(String)}
GROUP BY signal_id
