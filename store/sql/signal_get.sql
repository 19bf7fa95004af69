SELECT
    SignalId AS signal_id,
    Rule AS rule,
    Family AS family,
    Kind AS kind,
    Role AS role,
    EntityType AS entity_type,
    EntityName AS entity_name,
    toUnixTimestamp64Nano(Onset) AS onset,
    toUnixTimestamp64Nano(Until) AS until,
    Score AS score,
    Direction AS direction,
    Value AS value,
    Baseline AS baseline,
    Severity AS severity,
    Explanation AS explanation,
    Evidence AS evidence,
    toUnixTimestamp64Nano(WindowStart) AS window_start,
    toUnixTimestamp64Nano(WindowEnd) AS window_end
FROM signals FINAL
-- Told before FINAL: the key decides, and no other column of other signals is read.
PREWHERE Tenant = {tenant:String} AND SignalId = {id:String}
