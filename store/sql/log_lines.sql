-- Log records as Loki would hold them after receiving OTLP: a line, labels of its stream, structured metadata.
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
