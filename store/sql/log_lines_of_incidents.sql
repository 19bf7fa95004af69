-- Incidents as a log stream, {service_name="incidents"}: one line for each signal of an incident's timeline and for each
-- entry of its journal, in the columns of log_lines. Signals are looked for within 7 days of the incident, as everywhere.
SELECT
    at,
    line,
    toLowCardinality('incidents') AS service,
    CAST(map(), 'Map(LowCardinality(String), LowCardinality(String))') AS resource,
    id AS incident_id,
    severity AS incident_severity,
    state AS incident_state,
    transform(severity, ['critical', 'high', 'medium', 'low'], ['critical', 'error', 'warn', 'info'], 'info') AS detected_level,
    '' AS severity_text,
    '' AS severity_number,
    '' AS trace_id,
    '' AS span_id,
    '' AS scope_name,
    '' AS scope_version,
    '' AS event_name,
    CAST(map(), 'Map(LowCardinality(String), String)') AS scope_attributes,
    mapConcat(map('title', title), told) AS attributes,
    map('service_name', 'incidents', 'incident_id', id, 'severity', severity, 'state', state) AS stream,
    mapFilter((k, v) -> v != '', mapConcat(map('detected_level', detected_level), attributes)) AS meta
FROM
(
    SELECT
        s.Onset AS at,
        if(s.Explanation = '', concat(s.Kind, ' ', s.EntityType, ' ', s.EntityName), s.Explanation) AS line,
        i.IncidentId AS id,
        toString(i.Severity) AS severity,
        toString(i.State) AS state,
        i.Title AS title,
        map('event', 'signal', 'kind', toString(s.Kind), 'role', toString(m.Role), 'entity_type', toString(s.EntityType),
            'entity', s.EntityName, 'signal_id', s.SignalId, 'score', toString(round(s.Score, 4))) AS told
    FROM
    (
        SELECT * FROM signals FINAL
        WHERE Tenant = {tenant:String}
            AND Onset >= fromUnixTimestamp64Nano({start:Int64}) AND Onset < fromUnixTimestamp64Nano({end:Int64})
    ) AS s
    INNER JOIN (SELECT IncidentId, SignalId, Role FROM incident_signals FINAL WHERE Tenant = {tenant:String}) AS m
        ON m.SignalId = s.SignalId
    INNER JOIN
    (
        SELECT * FROM incidents FINAL
        WHERE Tenant = {tenant:String} AND StartedAt < fromUnixTimestamp64Nano({end:Int64}) + INTERVAL 7 DAY
    ) AS i ON i.IncidentId = m.IncidentId
    UNION ALL
    SELECT
        CAST(e.At, 'DateTime64(9, \'UTC\')') AS at,
        concat(
            replaceAll(toString(e.Kind), '_', ' '), if(e.Before = '', '', concat(' from ', e.Before)),
            if(e.After = '', '', concat(' to ', e.After)), if(e.Other = '', '', concat(' ', e.Other)), ': ', i.Title) AS line,
        e.IncidentId AS id,
        toString(i.Severity) AS severity,
        toString(i.State) AS state,
        i.Title AS title,
        map('event', toString(e.Kind), 'other', e.Other, 'before', e.Before, 'after', e.After) AS told
    FROM
    (
        SELECT * FROM incident_events
        WHERE Tenant = {tenant:String}
            AND At >= fromUnixTimestamp64Nano({start:Int64}) AND At < fromUnixTimestamp64Nano({end:Int64})
    ) AS e
    LEFT JOIN (SELECT * FROM incidents FINAL WHERE Tenant = {tenant:String}) AS i ON i.IncidentId = e.IncidentId
)
