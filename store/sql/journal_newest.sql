-- The version of the last entry in any incident's history; 0 when there is none.
SELECT toInt64(max(Version)) AS version FROM incident_events WHERE Tenant = {tenant:String}
