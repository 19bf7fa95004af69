-- What kinds of signals the incidents {ids} have, and what part each kind plays: 3 for a cause, 1 for an effect. {start} and
-- {end} bound the onsets that can belong to them. One without signals is not there.
SELECT id, groupArray(kind) AS kinds, groupArray(part) AS parts
FROM
(
    SELECT m.IncidentId AS id, sipHash64(s.EntityType, s.Kind) AS kind, max(if(m.Role = 'cause', 3, 1)) AS part
    FROM
    (
        SELECT SignalId, EntityType, Kind FROM signals FINAL
        PREWHERE Tenant = {tenant:String}
            AND Onset >= fromUnixTimestamp64Nano({start:Int64}) AND Onset <= fromUnixTimestamp64Nano({end:Int64})
    ) AS s
    INNER JOIN
    (
        SELECT IncidentId, SignalId, Role FROM incident_signals FINAL
        PREWHERE Tenant = {tenant:String} AND IncidentId IN {ids:Array(String)}
        WHERE Role != 'context'
    ) AS m ON m.SignalId = s.SignalId
    GROUP BY id, kind
)
GROUP BY id
