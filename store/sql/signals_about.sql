-- Signals of an entity, of a family, or both, that touch [start, end], newest first. The entity goes by any of {names}.
--
-- Candidates are found by a few narrow columns, and only they are read whole.
SELECT
    SignalId AS signal_id, Rule AS rule, Family AS family, Kind AS kind, EntityType AS entity_type, EntityName AS entity_name,
    toUnixTimestamp64Nano(Onset) AS onset, toUnixTimestamp64Nano(Until) AS until,
    Score AS score, Severity AS severity, Explanation AS explanation
FROM signals FINAL
PREWHERE Tenant = {tenant:String} AND (Onset, SignalId) IN
(
    SELECT Onset, SignalId FROM signals FINAL
    WHERE Tenant = {tenant:String}
        AND Onset <= fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})
-- if type
        AND EntityType = {type:String} AND has({names:Array(String)}, EntityName)
-- end
-- if family
        AND Family = {family:String}
-- end
)
ORDER BY Onset DESC, SignalId
LIMIT {limit:UInt32}
