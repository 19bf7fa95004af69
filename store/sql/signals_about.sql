-- Signals of an entity, of a family, or both, that touch [start, end], newest first; '' is any. The entity goes by any of
-- {names}. `held` are the incidents that hold them. The few signals are the side of the join that is kept in memory.
--
-- Candidates are found by a few narrow columns, and only they are read whole.
SELECT
    s.SignalId AS signal_id, any(s.Rule) AS rule, any(s.Family) AS family, any(s.Kind) AS kind,
    any(s.EntityType) AS entity_type, any(s.EntityName) AS entity_name,
    toUnixTimestamp64Nano(any(s.Onset)) AS onset, toUnixTimestamp64Nano(any(s.Until)) AS until,
    any(s.Score) AS score, any(s.Severity) AS severity, any(s.Explanation) AS explanation,
    groupArrayIf(m.IncidentId, m.IncidentId != '') AS held
FROM (SELECT SignalId, IncidentId FROM incident_signals FINAL WHERE Tenant = {tenant:String}) AS m
RIGHT JOIN
(
    SELECT * FROM signals FINAL
    PREWHERE Tenant = {tenant:String} AND (Onset, SignalId) IN
    (
        SELECT Onset, SignalId FROM signals FINAL
        WHERE Tenant = {tenant:String}
            AND Onset <= fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})
            AND ({type:String} = '' OR (EntityType = {type:String} AND has({names:Array(String)}, EntityName)))
            AND ({family:String} = '' OR Family = {family:String})
    )
    ORDER BY Onset DESC, SignalId
    LIMIT {limit:UInt32}
) AS s ON m.SignalId = s.SignalId
GROUP BY signal_id
ORDER BY onset DESC, signal_id
