-- Whole membership rows of the incidents that overlap [start, end).
SELECT *
FROM incident_signals FINAL
WHERE Tenant = {tenant:String} AND IncidentId IN (
    SELECT IncidentId FROM incidents FINAL
    WHERE Tenant = {tenant:String}
        AND StartedAt < fromUnixTimestamp64Nano({end:Int64}) AND UpdatedAt >= fromUnixTimestamp64Nano({start:Int64})
)
