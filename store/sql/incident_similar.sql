-- Earlier incidents whose evidence is like that of one, likest first: the cosine between the kinds of their signals,
-- causes counted three times, a kind weighing less the more incidents have it.
WITH
    kinds AS
    (
        SELECT
            m.IncidentId AS incident,
            tuple(s.EntityType, s.Kind) AS what,
            max(if(m.Role = 'cause', 3, 1)) AS part
        FROM
        (
            SELECT IncidentId, SignalId, Role FROM incident_signals FINAL
            WHERE Tenant = {tenant:String} AND Role != 'context'
        ) AS m
        INNER JOIN (SELECT SignalId, EntityType, Kind FROM signals FINAL WHERE Tenant = {tenant:String}) AS s
            ON s.SignalId = m.SignalId
        GROUP BY incident, what
    ),
    (SELECT uniqExact(incident) FROM kinds) AS incidents,
    rarity AS (SELECT what, log(1 + incidents / count()) AS weight FROM kinds GROUP BY what),
    weighed AS (SELECT k.incident AS incident, k.what AS what, k.part * r.weight AS x FROM kinds AS k INNER JOIN rarity AS r ON k.what = r.what),
    length AS (SELECT incident, sqrt(sum(x * x)) AS norm FROM weighed GROUP BY incident),
    (SELECT any(norm) FROM length WHERE incident = {id:String}) AS own
SELECT
    i.IncidentId AS id,
    i.Title AS title,
    i.State AS state,
    i.Severity AS severity,
    toUnixTimestamp64Nano(i.StartedAt) AS started,
    toUnixTimestamp64Nano(i.EndedAt) AS ended,
    round(likeness.dot / (own * l.norm), 4) AS similarity
FROM
(
    SELECT o.incident AS incident, sum(o.x * t.x) AS dot
    FROM (SELECT * FROM weighed WHERE incident != {id:String}) AS o
    INNER JOIN (SELECT * FROM weighed WHERE incident = {id:String}) AS t ON o.what = t.what
    GROUP BY incident
) AS likeness
INNER JOIN length AS l ON l.incident = likeness.incident
INNER JOIN (SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String}) AS i ON i.IncidentId = likeness.incident
WHERE i.StartedAt < fromUnixTimestamp64Nano({before:Int64}) AND similarity >= {least:Float64}
ORDER BY similarity DESC, started DESC, id
LIMIT {limit:UInt32}
