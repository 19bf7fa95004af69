-- Signals from before a time that belong to an incident which is kept; {going} are not.
SELECT DISTINCT SignalId AS id
FROM incident_signals FINAL
WHERE Tenant = {tenant:String}
    AND IncidentId IN (SELECT IncidentId FROM incidents FINAL WHERE Tenant = {tenant:String})
    AND IncidentId NOT IN {going:Array(String)}
    AND SignalId IN (
        SELECT SignalId FROM signals FINAL
        WHERE Tenant = {tenant:String} AND Until < fromUnixTimestamp64Nano({before:Int64}, 'UTC'))
