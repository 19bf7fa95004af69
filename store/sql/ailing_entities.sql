-- Names of entities that take part in incidents that are not resolved.
SELECT DISTINCT arrayJoin(Entities) AS name
FROM incidents FINAL
WHERE Tenant = {tenant:String} AND State != 'resolved'
LIMIT 10000
