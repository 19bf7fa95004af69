-- The incident that one was merged into last.
SELECT Other AS id
FROM incident_events
WHERE Tenant = {tenant:String} AND IncidentId = {id:String} AND Kind = 'merged'
ORDER BY Version DESC
LIMIT 1
