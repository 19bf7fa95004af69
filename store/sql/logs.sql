-- Application and container logs as rules read them: everything that kernel_logs, k8s_events, k8s_objects and evaluations do not read.
-- Severity is the record's number, else that of its text; 0 when it has neither.
-- https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
SELECT
    Timestamp AS time,
    if(startsWith(ServiceName, 'unknown_service'), '', ServiceName) AS service,
    coalesce(
        nullIf(ResourceAttributes['k8s.pod.name'], ''), nullIf(LogAttributes['k8s.pod.name'], ''), ResourceAttributes['pod']
    ) AS pod,
    coalesce(nullIf(ResourceAttributes['k8s.node.name'], ''), nullIf(if(pod = '', ResourceAttributes['host.name'], ''), ''), '') AS node,
    coalesce(
        nullIf(ResourceAttributes['k8s.deployment.name'], ''), nullIf(ResourceAttributes['k8s.statefulset.name'], ''),
        nullIf(ResourceAttributes['k8s.daemonset.name'], ''), nullIf(ResourceAttributes['k8s.cronjob.name'], ''),
        ResourceAttributes['k8s.job.name']
    ) AS workload,
    ResourceAttributes['k8s.container.name'] AS container,
    toInt32(multiIf(
        SeverityNumber > 0, SeverityNumber,
        upper(SeverityText) IN ('FATAL', 'CRITICAL', 'CRIT', 'ALERT', 'EMERG', 'EMERGENCY', 'PANIC'), 21,
        upper(SeverityText) IN ('ERROR', 'ERR', 'SEVERE'), 17,
        upper(SeverityText) IN ('WARN', 'WARNING'), 13,
        upper(SeverityText) IN ('INFO', 'INFORMATION', 'NOTICE'), 9,
        upper(SeverityText) IN ('DEBUG', 'TRACE'), 5,
        0
    )) AS severity,
    Body AS body,
    ScopeName AS scope,
    coalesce(nullIf(TraceId, ''), nullIf(LogAttributes['trace_id'], ''), LogAttributes['trace.id']) AS trace_id,
    coalesce(nullIf(SpanId, ''), nullIf(LogAttributes['span_id'], ''), LogAttributes['span.id']) AS span_id
FROM otel_logs
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    AND EventName NOT IN ('gen_ai.evaluation.result', 'alertmanager.alert') AND LogAttributes['event.name'] != 'gen_ai.evaluation.result'
    AND LogAttributes['k8s.event.reason'] = '' AND LogAttributes['k8s.resource.name'] NOT IN ('events', 'pods', 'nodes')
    AND NOT (
        -- The condition of kernel_logs.
        ResourceAttributes['k8s.container.name'] = ''
        AND (
            LogAttributes['syslog.identifier'] = 'kernel'
            OR LogAttributes['SYSLOG_IDENTIFIER'] = 'kernel'
            OR LogAttributes['_TRANSPORT'] = 'kernel'
            OR LogAttributes['log.file.name'] IN ('kmsg', 'dmesg', 'kern.log', 'syslog', 'messages', 'fabricmanager.log')
            OR match(Body, 'NVRM: |nvidia-nvswitch\\d+: SXid|NVSwitch (non-)?fatal error| kernel: |oom-kill:constraint=|PCIe Bus Error: severity=|pcieport \\S+ AER: |knvlink[A-Z]|soft lockup - CPU|aborting fabric manager|in the multicast team request')
        )
    )
