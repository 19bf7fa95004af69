-- The signals of the copies that query_incidents.sql makes; they share the evidence of the original.
INSERT INTO incident_signals (Tenant, IncidentId, SignalId, Role, Version)
SELECT Tenant, lower(hex(sipHash128(IncidentId, n))), SignalId, Role, Version
FROM (SELECT * FROM incident_signals FINAL) AS found CROSS JOIN (SELECT number + 1 AS n FROM numbers({copies:UInt64})) AS numbers
