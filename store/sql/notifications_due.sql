-- Incidents whose state was not told to {target} yet, or whose alert there has to be refreshed, oldest first: those that
-- went on after {since}, and those of which something was told before. What did not arrive waits longer each time.
SELECT
    i.IncidentId AS id, i.Title AS title, i.State AS state, i.Severity AS severity,
    toUnixTimestamp64Nano(i.StartedAt) AS started, toUnixTimestamp64Nano(i.EndedAt) AS ended,
    i.Score AS score, i.RootCauses AS root_causes, i.BlastRadius AS blast_radius, i.SignalCount AS signal_count,
    n.told AS told, n.Attempts AS attempts
FROM (SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String}) AS i
LEFT JOIN
(
    SELECT IncidentId, State, if(Delivered, State, '') AS told, Delivered, Attempts, At, true AS known
    FROM notifications FINAL
    WHERE Tenant = {tenant:String} AND Target = {target:String}
) AS n ON n.IncidentId = i.IncidentId
WHERE has({severities:Array(String)}, i.Severity)
    AND (n.known OR (i.UpdatedAt >= fromUnixTimestamp64Nano({since:Int64}) AND has({states:Array(String)}, i.State)))
    AND (has({states:Array(String)}, i.State))
    AND (
        (n.known AND NOT n.Delivered AND n.At + toIntervalSecond(least(3600, 15 * pow(2, least(n.Attempts, 10)))) < fromUnixTimestamp64Milli({now:Int64}))
        OR (n.known AND n.Delivered AND n.State != i.State)
        OR NOT n.known
        OR (n.known AND n.Delivered AND i.State != 'resolved' AND {refresh:Int64} > 0 AND n.At < fromUnixTimestamp64Milli({refresh:Int64}))
    )
ORDER BY i.StartedAt, i.IncidentId
LIMIT 100
