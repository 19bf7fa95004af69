-- What people decided about some incidents; an empty list is all of them.
SELECT IncidentId AS incident_id, State AS decided, Assignee AS assignee, Seen AS seen, Known AS known
FROM incident_decisions FINAL
WHERE Tenant = {tenant:String} AND (empty({ids:Array(String)}) OR has({ids:Array(String)}, IncidentId))
