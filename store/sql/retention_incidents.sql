-- Incidents that ended before a time. One that goes on is never old.
SELECT IncidentId AS id
FROM incidents FINAL
WHERE Tenant = {tenant:String}
    AND coalesce(EndedAt, if(State = 'resolved', UpdatedAt, NULL)) < fromUnixTimestamp64Nano({before:Int64}, 'UTC')
ORDER BY id
LIMIT {limit:UInt32}
