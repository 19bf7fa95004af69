-- Signals that people put into incidents, of those whose life touches [start, end) or whose incident is {id}.
SELECT SignalId AS id, IncidentId AS target, Onset AS onset, Until AS until
FROM incident_pins FINAL
WHERE Tenant = {tenant:String}
    AND ((Onset < fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})) OR IncidentId = {id:String})
ORDER BY id
