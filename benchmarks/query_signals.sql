-- The signals of the copies that query_incidents.sql makes.
INSERT INTO signals (Tenant, SignalId, Rule, Family, Kind, Role, EntityType, EntityName, Onset, Until, Score, Direction, Value, Baseline,
    Severity, Explanation, Evidence, WindowStart, WindowEnd, Version)
SELECT Tenant, lower(hex(sipHash128(SignalId, n))), Rule, Family, Kind, Role, EntityType, EntityName, Onset - toIntervalHour(n),
    Until - toIntervalHour(n), Score, Direction, Value, Baseline, Severity, Explanation, Evidence, WindowStart - toIntervalHour(n),
    WindowEnd - toIntervalHour(n), Version
FROM (SELECT * FROM signals FINAL) AS found CROSS JOIN (SELECT number + 1 AS n FROM numbers({copies:UInt64})) AS numbers
SETTINGS max_partitions_per_insert_block = 0
