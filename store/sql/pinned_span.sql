-- How far back and forward the signals reach that people put into the incidents of [start, end); no row when there are none.
SELECT toUnixTimestamp64Nano(min(Onset)) AS start, toUnixTimestamp64Nano(max(Until)) AS end
FROM incident_pins FINAL
WHERE Tenant = {tenant:String} AND IncidentId IN
    (
        SELECT IncidentId FROM incident_pins FINAL
        WHERE Tenant = {tenant:String}
            AND Onset < fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})
    )
HAVING count() > 0
