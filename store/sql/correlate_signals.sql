-- Signals whose life [Onset, Until] touches [start, end), in the correlator's own column names.
SELECT
    SignalId AS id, Rule AS rule, Family AS family, Kind AS kind, EntityType AS entity_type, EntityName AS entity,
    Onset AS onset, Until AS until, Score AS score, Direction AS direction, Value AS value, Baseline AS baseline,
    Severity AS severity, Explanation AS explanation, Evidence AS evidence
FROM signals FINAL
WHERE Tenant = {tenant:String}
    AND Onset < fromUnixTimestamp64Nano({end:Int64}) AND Until >= fromUnixTimestamp64Nano({start:Int64})
ORDER BY onset, id
