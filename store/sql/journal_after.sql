-- Entries of all incidents' histories behind ({version}, {number}), in the order in which they were made: by version, and
-- by their number among those of one version.
SELECT version, number, incident_id, kind, other, before, after, who, text, at
FROM
(
    SELECT
        toInt64(Version) AS version,
        toInt64(row_number() OVER (PARTITION BY Version ORDER BY IncidentId, Kind, Other, Before, After)) AS number,
        IncidentId AS incident_id, Kind AS kind, Other AS other, Before AS before, After AS after, Who AS who, Text AS text,
        toUnixTimestamp64Milli(At) AS at
    FROM incident_events
    WHERE Tenant = {tenant:String} AND Version >= toUInt64({version:Int64})
)
WHERE (version, number) > ({version:Int64}, {number:Int64})
ORDER BY version, number
LIMIT {limit:UInt32}
