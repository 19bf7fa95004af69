-- Which signals the copies hold.
INSERT INTO incident_signals (Tenant, IncidentId, SignalId, Role, Version)
SELECT Tenant, lower(hex(sipHash128(IncidentId, n))), lower(hex(sipHash128(SignalId, n))), Role, Version
FROM (SELECT * FROM incident_signals FINAL) AS found CROSS JOIN (SELECT number + 1 AS n FROM numbers({copies:UInt64})) AS numbers
