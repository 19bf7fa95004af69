-- `copies` of every incident there is, each an hour before the one before, under ids of their own.
INSERT INTO incidents (Tenant, IncidentId, Title, State, Severity, StartedAt, EndedAt, UpdatedAt, Score, RootCauses, BlastRadius, Graph, Entities, SignalCount, Version)
SELECT Tenant, lower(hex(sipHash128(IncidentId, n))), Title, 'resolved', Severity, StartedAt - toIntervalHour(n),
    ifNull(EndedAt, UpdatedAt) - toIntervalHour(n), UpdatedAt - toIntervalHour(n), Score, RootCauses, BlastRadius, Graph, Entities, SignalCount, Version
FROM (SELECT * FROM incidents FINAL) AS found CROSS JOIN (SELECT number + 1 AS n FROM numbers({copies:UInt64})) AS numbers
