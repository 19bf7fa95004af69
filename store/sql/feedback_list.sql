-- What people said of root causes, latest first, behind the ({before}, {before_key}) key.
SELECT
    IncidentId AS incident_id, EntityType AS entity_type, EntityName AS entity_name, Verdict AS verdict, Kind AS kind,
    Rank AS rank, Score AS score, Terms AS terms, Who AS who, Text AS text, toUnixTimestamp64Milli(At) AS at,
    toInt64(Version) AS version, concat(IncidentId, '/', EntityType, '/', EntityName) AS key
FROM incident_feedback FINAL
WHERE Tenant = {tenant:String}
-- if id
    AND IncidentId = {id:String}
-- end
-- if before
    AND (toInt64(Version), key) < ({before:Int64}, {before_key:String})
-- end
ORDER BY version DESC, key DESC
LIMIT {limit:UInt32}
