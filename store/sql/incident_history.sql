-- What became of an incident, oldest first.
SELECT
    toUnixTimestamp64Milli(At) AS at, Kind AS kind, Other AS other, Before AS before, After AS after, Who AS who, Text AS text
FROM incident_events
WHERE Tenant = {tenant:String} AND IncidentId = {id:String}
ORDER BY Version, Kind, Other
LIMIT 1000
