-- Signals of an entity, of a family, or both, that touch [start, end], newest first; '' is any. The entity goes by any of
-- {names}. `held` are the incidents that hold them.
SELECT
    s.SignalId AS signal_id, s.Rule AS rule, s.Family AS family, s.Kind AS kind,
    s.EntityType AS entity_type, s.EntityName AS entity_name,
    toUnixTimestamp64Nano(s.Onset) AS onset, toUnixTimestamp64Nano(s.Until) AS until,
    s.Score AS score, s.Severity AS severity, s.Explanation AS explanation, m.held AS held
FROM
(
    SELECT * FROM signals FINAL
    WHERE Tenant = {tenant:String}
        AND Onset <= fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})
        AND ({type:String} = '' OR (EntityType = {type:String} AND has({names:Array(String)}, EntityName)))
        AND ({family:String} = '' OR Family = {family:String})
    ORDER BY Onset DESC, SignalId
    LIMIT {limit:UInt32}
) AS s
LEFT JOIN
(
    SELECT SignalId, groupArray(IncidentId) AS held FROM incident_signals FINAL WHERE Tenant = {tenant:String} GROUP BY SignalId
) AS m ON m.SignalId = s.SignalId
ORDER BY onset DESC, signal_id
