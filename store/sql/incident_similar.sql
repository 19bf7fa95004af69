-- Of the {among} incidents up to one, those whose evidence is like its own, likest first: the cosine between the kinds of their signals,
-- causes counted three times, a kind weighing less the more incidents have it. Signals are read once: a name in WITH
-- would be worked out anew wherever it stands.
SELECT
    i.IncidentId AS id,
    i.Title AS title,
    i.State AS state,
    i.Severity AS severity,
    toUnixTimestamp64Nano(i.StartedAt) AS started,
    toUnixTimestamp64Nano(i.EndedAt) AS ended,
    round(l.dot / (l.own.3 * l.norm), 4) AS similarity
FROM
(
    SELECT incident, norm, own, arraySum((kind, x) -> x * arrayElement(own.2, indexOf(own.1, kind)), whats, xs) AS dot
    FROM
    (
        SELECT incident, whats, xs, norm, anyIf((whats, xs, norm), incident = {id:String}) OVER () AS own
        FROM
        (
            SELECT incident, groupArray(what) AS whats, groupArray(x) AS xs, sqrt(sum(x * x)) AS norm
            FROM
            (
                SELECT incident, what, part * log(1 + uniqExact(incident) OVER () / count() OVER (PARTITION BY what)) AS x
                FROM
                (
                    SELECT
                        m.IncidentId AS incident,
                        sipHash64(s.EntityType, s.Kind) AS what,
                        max(if(m.Role = 'cause', 3, 1)) AS part
                    FROM (SELECT SignalId, EntityType, Kind FROM signals FINAL WHERE Tenant = {tenant:String}) AS s
                    INNER JOIN
                    (
                        SELECT IncidentId, SignalId, Role FROM incident_signals FINAL
                        WHERE Tenant = {tenant:String} AND Role != 'context' AND IncidentId IN
                        (
                            SELECT IncidentId FROM incidents FINAL
                            WHERE Tenant = {tenant:String}
                                AND (StartedAt < fromUnixTimestamp64Nano({before:Int64}) OR IncidentId = {id:String})
                            ORDER BY IncidentId = {id:String} DESC, StartedAt DESC
                            LIMIT {among:UInt32}
                        )
                    ) AS m ON m.SignalId = s.SignalId
                    GROUP BY incident, what
                )
            )
            GROUP BY incident
        )
    )
    WHERE incident != {id:String} AND hasAny(whats, own.1)
) AS l
INNER JOIN (SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String}) AS i ON i.IncidentId = l.incident
WHERE i.StartedAt < fromUnixTimestamp64Nano({before:Int64}) AND similarity >= {least:Float64}
ORDER BY similarity DESC, started DESC, id
LIMIT {limit:UInt32}
