SELECT toUnixTimestamp64Nano(at) AS ns, line, CAST(mapFilter((k, v) -> NOT ((k = {p16:String} AND v = {p17:String})), stream), 'Array(Tuple(String, String))') AS stream_labels, CAST(mapFilter((k, v) -> NOT ((k = {p18:String} AND v = {p19:String})), meta), 'Array(Tuple(String, String))') AS meta_labels, CAST(mapFilter((k, v) -> NOT ((k = {p20:String} AND v = {p21:String})), if(failed = '', parsed, mapConcat(parsed, map('__error__', failed)))), 'Array(Tuple(String, String))') AS parsed_labels FROM (SELECT *, CAST(arrayMap(kv -> (if(mapContains(stream, kv.1) OR mapContains(meta, kv.1), concat(kv.1, '_extracted'), kv.1), kv.2), arrayMap(kv -> (replaceRegexpAll(replaceRegexpOne(kv.1, '^([0-9])', '_\\1'), '[^a-zA-Z0-9_]', '_'), kv.2), arrayMap(kv -> (kv.1, if(startsWith(kv.2, '"'), JSONExtractString(kv.2), kv.2)), arrayFilter(kv -> kv.2 != 'null' AND NOT startsWith(kv.2, '['), arrayFlatten(arrayMap(kv -> if(startsWith(kv.2, '{'), arrayMap(c -> (concat(kv.1, '_', c.1), c.2), JSONExtractKeysAndValuesRaw(kv.2)), [kv]), arrayFlatten(arrayMap(kv -> if(startsWith(kv.2, '{'), arrayMap(c -> (concat(kv.1, '_', c.1), c.2), JSONExtractKeysAndValuesRaw(kv.2)), [kv]), arrayFlatten(arrayMap(kv -> if(startsWith(kv.2, '{'), arrayMap(c -> (concat(kv.1, '_', c.1), c.2), JSONExtractKeysAndValuesRaw(kv.2)), [kv]), JSONExtractKeysAndValuesRaw(line))))))))))), 'Map(String, String)') AS parsed, if(isValidJSON(line) AND startsWith(trimLeft(line), '{'), '', 'JSONParserErr') AS failed FROM (SELECT * FROM (-- Log records as Loki would hold them after receiving OTLP: a line, labels of its stream, structured metadata.
-- Labels are the resource attributes that Loki promotes unless told otherwise, `.` and the like as `_`; all else of the
-- record is metadata. https://grafana.com/docs/loki/latest/send-data/otel/ and distributor.otlp_config in
-- https://grafana.com/docs/loki/latest/configure/
-- Read by store/log_lines.py, which takes from it what a query needs; the engine computes no more than that.
SELECT
    Timestamp AS at,
    Body AS line,
    ServiceName AS service,
    ResourceAttributes AS resource,
    '' AS incident_id,
    '' AS incident_severity,
    '' AS incident_state,
    multiIf(
        SeverityNumber BETWEEN 1 AND 4, 'trace', SeverityNumber BETWEEN 5 AND 8, 'debug',
        SeverityNumber BETWEEN 9 AND 12, 'info', SeverityNumber BETWEEN 13 AND 16, 'warn',
        SeverityNumber BETWEEN 17 AND 20, 'error', SeverityNumber BETWEEN 21 AND 24, 'fatal',
        lower(SeverityText) IN ('trace', 'trc'), 'trace',
        lower(SeverityText) IN ('debug', 'dbg'), 'debug',
        lower(SeverityText) IN ('info', 'inf', 'information', 'notice'), 'info',
        lower(SeverityText) IN ('warn', 'wrn', 'warning'), 'warn',
        lower(SeverityText) IN ('error', 'err', 'severe'), 'error',
        lower(SeverityText) IN ('critical', 'crit', 'alert', 'emerg', 'emergency'), 'critical',
        lower(SeverityText) IN ('fatal', 'panic'), 'fatal',
        'unknown'
    ) AS detected_level,
    SeverityText AS severity_text,
    if(SeverityNumber = 0, '', toString(SeverityNumber)) AS severity_number,
    TraceId AS trace_id,
    SpanId AS span_id,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    EventName AS event_name,
    ScopeAttributes AS scope_attributes,
    LogAttributes AS attributes,
    mapConcat(
        map('service_name', if(ServiceName = '', 'unknown_service', toString(ServiceName))),
        mapApply(
            (k, v) -> (replaceAll(toString(k), '.', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k IN (
                    'service.namespace', 'service.instance.id', 'deployment.environment', 'deployment.environment.name',
                    'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name', 'k8s.namespace.name', 'k8s.pod.name',
                    'k8s.container.name', 'container.name', 'k8s.replicaset.name', 'k8s.deployment.name',
                    'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes))
    ) AS stream,
    mapConcat(
        mapFilter(
            (k, v) -> v != '',
            map('detected_level', detected_level, 'severity_text', toString(SeverityText),
                'severity_number', severity_number, 'trace_id', TraceId, 'span_id', SpanId,
                'scope_name', ScopeName, 'scope_version', toString(ScopeVersion), 'event_name', EventName)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k NOT IN (
                    'service.name', 'service.namespace', 'service.instance.id', 'deployment.environment',
                    'deployment.environment.name', 'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name',
                    'k8s.namespace.name', 'k8s.pod.name', 'k8s.container.name', 'container.name', 'k8s.replicaset.name',
                    'k8s.deployment.name', 'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), v),
            mapFilter((k, v) -> v != '', mapConcat(ScopeAttributes, LogAttributes)))
    ) AS meta
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
) WHERE (service = {p3:String}) AND (match(resource['k8s.pod.name'], {p4:String})) AND ((position(line, {p5:String}) > 0)))) WHERE (ifNull(if(match(if(mapContains(parsed, {p9:String}), parsed[{p9:String}], coalesce(nullIf(toString(resource[{p6:String}]), ''), nullIf(toString(scope_attributes[{p7:String}]), ''), attributes[{p8:String}])), '^([0-9.]+(ns|us|µs|ms|s|m|h))+$'), arraySum(g -> toFloat64OrZero(g[1]) * transform(g[2], ['ns', 'us', 'µs', 'ms', 's', 'm', 'h'], [1e-9, 1e-6, 1e-6, 1e-3, 1., 60., 3600.], 0.), extractAllGroupsVertical(if(mapContains(parsed, {p9:String}), parsed[{p9:String}], coalesce(nullIf(toString(resource[{p6:String}]), ''), nullIf(toString(scope_attributes[{p7:String}]), ''), attributes[{p8:String}])), '([0-9.]+)(ns|us|µs|ms|s|m|h)')), NULL) > {p10:Float64}, false)) AND (if(mapContains(parsed, {p14:String}), parsed[{p14:String}], coalesce(nullIf(toString(resource[{p11:String}]), ''), nullIf(toString(scope_attributes[{p12:String}]), ''), attributes[{p13:String}])) = {p15:String}) ORDER BY toStartOfFiveMinutes(at) DESC, at DESC LIMIT {p22:UInt32};

SELECT toUnixTimestamp64Nano(at) AS ns, line, CAST(mapFilter((k, v) -> ((k = {p10:String} AND true)), stream), 'Array(Tuple(String, String))') AS stream_labels, CAST(mapFilter((k, v) -> ((k = {p11:String} AND true)), meta), 'Array(Tuple(String, String))') AS meta_labels, CAST(mapFilter((k, v) -> ((k = {p12:String} AND true)), parsed), 'Array(Tuple(String, String))') AS parsed_labels FROM (SELECT * EXCEPT (line), concat('', '', {p4:String}, if(mapContains(parsed, {p8:String}), parsed[{p8:String}], coalesce(nullIf(toString(resource[{p5:String}]), ''), nullIf(toString(scope_attributes[{p6:String}]), ''), attributes[{p7:String}])), {p9:String}) AS line FROM (SELECT *, CAST(arrayMap(kv -> (if(mapContains(stream, kv.1) OR mapContains(meta, kv.1), concat(kv.1, '_extracted'), kv.1), kv.2), arrayMap(kv -> (replaceRegexpAll(replaceRegexpOne(kv.1, '^([0-9])', '_\\1'), '[^a-zA-Z0-9_]', '_'), kv.2), arrayFilter(kv -> kv.1 != '', CAST(extractKeyValuePairsWithEscaping(line, '=', ' ', '"'), 'Array(Tuple(String, String))')))), 'Map(String, String)') AS parsed FROM (SELECT * FROM (-- Incidents as a log stream, {service_name="incidents"}: one line for each signal of an incident's timeline and for each
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
) WHERE (incident_severity = {p3:String})))) ORDER BY toStartOfFiveMinutes(at) DESC, at DESC LIMIT {p13:UInt32};

SELECT toJSONString(key) AS labels, toInt64(at_step) AS step, toFloat64(sum(amount)) AS total FROM (SELECT mapSort(mapConcat(stream, meta, CAST(map(), 'Map(String, String)'))) AS key, greatest(0, if((toUnixTimestamp64Nano(at) - {p6:Int64}) <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p6:Int64}) - 1, {p3:Int64}) + 1)) AS first, least({p5:Int64}, if((toUnixTimestamp64Nano(at) - {p6:Int64}) + {p4:Int64} <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p6:Int64}) + {p4:Int64} - 1, {p3:Int64}) + 1) - 1) AS final, count() AS amount FROM (-- Log records as Loki would hold them after receiving OTLP: a line, labels of its stream, structured metadata.
-- Labels are the resource attributes that Loki promotes unless told otherwise, `.` and the like as `_`; all else of the
-- record is metadata. https://grafana.com/docs/loki/latest/send-data/otel/ and distributor.otlp_config in
-- https://grafana.com/docs/loki/latest/configure/
-- Read by store/log_lines.py, which takes from it what a query needs; the engine computes no more than that.
SELECT
    Timestamp AS at,
    Body AS line,
    ServiceName AS service,
    ResourceAttributes AS resource,
    '' AS incident_id,
    '' AS incident_severity,
    '' AS incident_state,
    multiIf(
        SeverityNumber BETWEEN 1 AND 4, 'trace', SeverityNumber BETWEEN 5 AND 8, 'debug',
        SeverityNumber BETWEEN 9 AND 12, 'info', SeverityNumber BETWEEN 13 AND 16, 'warn',
        SeverityNumber BETWEEN 17 AND 20, 'error', SeverityNumber BETWEEN 21 AND 24, 'fatal',
        lower(SeverityText) IN ('trace', 'trc'), 'trace',
        lower(SeverityText) IN ('debug', 'dbg'), 'debug',
        lower(SeverityText) IN ('info', 'inf', 'information', 'notice'), 'info',
        lower(SeverityText) IN ('warn', 'wrn', 'warning'), 'warn',
        lower(SeverityText) IN ('error', 'err', 'severe'), 'error',
        lower(SeverityText) IN ('critical', 'crit', 'alert', 'emerg', 'emergency'), 'critical',
        lower(SeverityText) IN ('fatal', 'panic'), 'fatal',
        'unknown'
    ) AS detected_level,
    SeverityText AS severity_text,
    if(SeverityNumber = 0, '', toString(SeverityNumber)) AS severity_number,
    TraceId AS trace_id,
    SpanId AS span_id,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    EventName AS event_name,
    ScopeAttributes AS scope_attributes,
    LogAttributes AS attributes,
    mapConcat(
        map('service_name', if(ServiceName = '', 'unknown_service', toString(ServiceName))),
        mapApply(
            (k, v) -> (replaceAll(toString(k), '.', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k IN (
                    'service.namespace', 'service.instance.id', 'deployment.environment', 'deployment.environment.name',
                    'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name', 'k8s.namespace.name', 'k8s.pod.name',
                    'k8s.container.name', 'container.name', 'k8s.replicaset.name', 'k8s.deployment.name',
                    'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes))
    ) AS stream,
    mapConcat(
        mapFilter(
            (k, v) -> v != '',
            map('detected_level', detected_level, 'severity_text', toString(SeverityText),
                'severity_number', severity_number, 'trace_id', TraceId, 'span_id', SpanId,
                'scope_name', ScopeName, 'scope_version', toString(ScopeVersion), 'event_name', EventName)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k NOT IN (
                    'service.name', 'service.namespace', 'service.instance.id', 'deployment.environment',
                    'deployment.environment.name', 'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name',
                    'k8s.namespace.name', 'k8s.pod.name', 'k8s.container.name', 'container.name', 'k8s.replicaset.name',
                    'k8s.deployment.name', 'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), v),
            mapFilter((k, v) -> v != '', mapConcat(ScopeAttributes, LogAttributes)))
    ) AS meta
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
) GROUP BY key, first, final) ARRAY JOIN range(toUInt64(first), toUInt64(final + 1)) AS at_step WHERE final >= first GROUP BY key, at_step ORDER BY labels, step;

SELECT toJSONString(key) AS labels, toInt64(at_step) AS step, toFloat64(sum(amount)) AS total FROM (SELECT CAST([], 'Array(String)') AS key, greatest(0, if((toUnixTimestamp64Nano(at) - {p6:Int64}) <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p6:Int64}) - 1, {p3:Int64}) + 1)) AS first, least({p5:Int64}, if((toUnixTimestamp64Nano(at) - {p6:Int64}) + {p4:Int64} <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p6:Int64}) + {p4:Int64} - 1, {p3:Int64}) + 1) - 1) AS final, count() AS amount FROM (-- Log records as Loki would hold them after receiving OTLP: a line, labels of its stream, structured metadata.
-- Labels are the resource attributes that Loki promotes unless told otherwise, `.` and the like as `_`; all else of the
-- record is metadata. https://grafana.com/docs/loki/latest/send-data/otel/ and distributor.otlp_config in
-- https://grafana.com/docs/loki/latest/configure/
-- Read by store/log_lines.py, which takes from it what a query needs; the engine computes no more than that.
SELECT
    Timestamp AS at,
    Body AS line,
    ServiceName AS service,
    ResourceAttributes AS resource,
    '' AS incident_id,
    '' AS incident_severity,
    '' AS incident_state,
    multiIf(
        SeverityNumber BETWEEN 1 AND 4, 'trace', SeverityNumber BETWEEN 5 AND 8, 'debug',
        SeverityNumber BETWEEN 9 AND 12, 'info', SeverityNumber BETWEEN 13 AND 16, 'warn',
        SeverityNumber BETWEEN 17 AND 20, 'error', SeverityNumber BETWEEN 21 AND 24, 'fatal',
        lower(SeverityText) IN ('trace', 'trc'), 'trace',
        lower(SeverityText) IN ('debug', 'dbg'), 'debug',
        lower(SeverityText) IN ('info', 'inf', 'information', 'notice'), 'info',
        lower(SeverityText) IN ('warn', 'wrn', 'warning'), 'warn',
        lower(SeverityText) IN ('error', 'err', 'severe'), 'error',
        lower(SeverityText) IN ('critical', 'crit', 'alert', 'emerg', 'emergency'), 'critical',
        lower(SeverityText) IN ('fatal', 'panic'), 'fatal',
        'unknown'
    ) AS detected_level,
    SeverityText AS severity_text,
    if(SeverityNumber = 0, '', toString(SeverityNumber)) AS severity_number,
    TraceId AS trace_id,
    SpanId AS span_id,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    EventName AS event_name,
    ScopeAttributes AS scope_attributes,
    LogAttributes AS attributes,
    mapConcat(
        map('service_name', if(ServiceName = '', 'unknown_service', toString(ServiceName))),
        mapApply(
            (k, v) -> (replaceAll(toString(k), '.', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k IN (
                    'service.namespace', 'service.instance.id', 'deployment.environment', 'deployment.environment.name',
                    'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name', 'k8s.namespace.name', 'k8s.pod.name',
                    'k8s.container.name', 'container.name', 'k8s.replicaset.name', 'k8s.deployment.name',
                    'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes))
    ) AS stream,
    mapConcat(
        mapFilter(
            (k, v) -> v != '',
            map('detected_level', detected_level, 'severity_text', toString(SeverityText),
                'severity_number', severity_number, 'trace_id', TraceId, 'span_id', SpanId,
                'scope_name', ScopeName, 'scope_version', toString(ScopeVersion), 'event_name', EventName)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k NOT IN (
                    'service.name', 'service.namespace', 'service.instance.id', 'deployment.environment',
                    'deployment.environment.name', 'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name',
                    'k8s.namespace.name', 'k8s.pod.name', 'k8s.container.name', 'container.name', 'k8s.replicaset.name',
                    'k8s.deployment.name', 'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), v),
            mapFilter((k, v) -> v != '', mapConcat(ScopeAttributes, LogAttributes)))
    ) AS meta
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
) GROUP BY key, first, final) ARRAY JOIN range(toUInt64(first), toUInt64(final + 1)) AS at_step WHERE final >= first GROUP BY key, at_step ORDER BY labels, step;

SELECT toJSONString(key) AS labels, toInt64(at_step) AS step, toFloat64(sum(amount)) AS total FROM (SELECT [toString(detected_level), toString(coalesce(nullIf(toString(resource[arrayFirst(k -> k LIKE {p3:String} AND replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_') = {p3:String}, mapKeys(resource))]), ''), nullIf(toString(scope_attributes[arrayFirst(k -> k LIKE {p4:String} AND replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_') = {p4:String}, mapKeys(scope_attributes))]), ''), attributes[arrayFirst(k -> k LIKE {p5:String} AND replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_') = {p5:String}, mapKeys(attributes))]))] AS key, greatest(0, if((toUnixTimestamp64Nano(at) - {p9:Int64}) <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p9:Int64}) - 1, {p6:Int64}) + 1)) AS first, least({p8:Int64}, if((toUnixTimestamp64Nano(at) - {p9:Int64}) + {p7:Int64} <= 0, 0, intDiv((toUnixTimestamp64Nano(at) - {p9:Int64}) + {p7:Int64} - 1, {p6:Int64}) + 1) - 1) AS final, count() AS amount FROM (-- Log records as Loki would hold them after receiving OTLP: a line, labels of its stream, structured metadata.
-- Labels are the resource attributes that Loki promotes unless told otherwise, `.` and the like as `_`; all else of the
-- record is metadata. https://grafana.com/docs/loki/latest/send-data/otel/ and distributor.otlp_config in
-- https://grafana.com/docs/loki/latest/configure/
-- Read by store/log_lines.py, which takes from it what a query needs; the engine computes no more than that.
SELECT
    Timestamp AS at,
    Body AS line,
    ServiceName AS service,
    ResourceAttributes AS resource,
    '' AS incident_id,
    '' AS incident_severity,
    '' AS incident_state,
    multiIf(
        SeverityNumber BETWEEN 1 AND 4, 'trace', SeverityNumber BETWEEN 5 AND 8, 'debug',
        SeverityNumber BETWEEN 9 AND 12, 'info', SeverityNumber BETWEEN 13 AND 16, 'warn',
        SeverityNumber BETWEEN 17 AND 20, 'error', SeverityNumber BETWEEN 21 AND 24, 'fatal',
        lower(SeverityText) IN ('trace', 'trc'), 'trace',
        lower(SeverityText) IN ('debug', 'dbg'), 'debug',
        lower(SeverityText) IN ('info', 'inf', 'information', 'notice'), 'info',
        lower(SeverityText) IN ('warn', 'wrn', 'warning'), 'warn',
        lower(SeverityText) IN ('error', 'err', 'severe'), 'error',
        lower(SeverityText) IN ('critical', 'crit', 'alert', 'emerg', 'emergency'), 'critical',
        lower(SeverityText) IN ('fatal', 'panic'), 'fatal',
        'unknown'
    ) AS detected_level,
    SeverityText AS severity_text,
    if(SeverityNumber = 0, '', toString(SeverityNumber)) AS severity_number,
    TraceId AS trace_id,
    SpanId AS span_id,
    ScopeName AS scope_name,
    ScopeVersion AS scope_version,
    EventName AS event_name,
    ScopeAttributes AS scope_attributes,
    LogAttributes AS attributes,
    mapConcat(
        map('service_name', if(ServiceName = '', 'unknown_service', toString(ServiceName))),
        mapApply(
            (k, v) -> (replaceAll(toString(k), '.', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k IN (
                    'service.namespace', 'service.instance.id', 'deployment.environment', 'deployment.environment.name',
                    'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name', 'k8s.namespace.name', 'k8s.pod.name',
                    'k8s.container.name', 'container.name', 'k8s.replicaset.name', 'k8s.deployment.name',
                    'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes))
    ) AS stream,
    mapConcat(
        mapFilter(
            (k, v) -> v != '',
            map('detected_level', detected_level, 'severity_text', toString(SeverityText),
                'severity_number', severity_number, 'trace_id', TraceId, 'span_id', SpanId,
                'scope_name', ScopeName, 'scope_version', toString(ScopeVersion), 'event_name', EventName)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), toString(v)),
            mapFilter(
                (k, v) -> v != '' AND k NOT IN (
                    'service.name', 'service.namespace', 'service.instance.id', 'deployment.environment',
                    'deployment.environment.name', 'cloud.region', 'cloud.availability_zone', 'k8s.cluster.name',
                    'k8s.namespace.name', 'k8s.pod.name', 'k8s.container.name', 'container.name', 'k8s.replicaset.name',
                    'k8s.deployment.name', 'k8s.statefulset.name', 'k8s.daemonset.name', 'k8s.cronjob.name', 'k8s.job.name'),
                ResourceAttributes)),
        mapApply(
            (k, v) -> (replaceRegexpAll(replaceRegexpOne(toString(k), '^([0-9])', 'key_\\1'), '[^a-zA-Z0-9_]', '_'), v),
            mapFilter((k, v) -> v != '', mapConcat(ScopeAttributes, LogAttributes)))
    ) AS meta
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
) GROUP BY key, first, final) ARRAY JOIN range(toUInt64(first), toUInt64(final + 1)) AS at_step WHERE final >= first GROUP BY key, at_step ORDER BY labels, step;

SELECT uniq(stream) AS streams, uniq(stream, toDate(at)) AS chunks, count() AS entries, sum(length(line)) AS bytes FROM (-- Incidents as a log stream, {service_name="incidents"}: one line for each signal of an incident's timeline and for each
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
);
