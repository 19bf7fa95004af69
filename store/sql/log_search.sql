-- Log records in time order ({sign} 1) or newest first (-1), from the ({from_time}, {from_hash}) key on. Empty filters mean
-- "any". A record's source is the frame in which rules would see it (see the queries of those names). {names} are names of
-- one entity, compared with the values of all attributes, and {bodies} those that a body about a Kubernetes object may hold;
-- records that name one of {nearer} come before all others; {quotes} are pieces of text of which a body must hold one.
-- The inner query decides about most records from few columns, the cheapest first: telling a source costs more than all.
SELECT
    toUnixTimestamp64Nano(Timestamp) AS time,
    hash,
    origin AS source,
    ServiceName AS service,
    level AS severity_number,
    SeverityText AS severity,
    Body AS body,
    EventName AS event_name,
    TraceId AS trace_id,
    SpanId AS span_id,
    ScopeName AS scope,
    toJSONString(LogAttributes) AS attributes,
    toJSONString(ResourceAttributes) AS resource
-- if nearer
    , ServiceName IN {nearer:Array(String)}
        OR arrayExists(v -> v IN {nearer:Array(String)}, mapValues(ResourceAttributes))
        OR arrayExists(v -> v IN {nearer:Array(String)}, mapValues(LogAttributes))
        OR (origin IN ('k8s_events', 'k8s_objects') AND multiSearchAny(Body, {nearer:Array(String)})) AS preferred
-- end
FROM
(
    WITH
        if(EventName != '', EventName, LogAttributes['event.name']) AS event,
        LogAttributes['vcs.ref.head.revision'] AS head,
        toInt32(multiIf(
            SeverityNumber > 0, SeverityNumber,
            upper(SeverityText) IN ('FATAL', 'CRITICAL', 'CRIT', 'ALERT', 'EMERG', 'EMERGENCY', 'PANIC'), 21,
            upper(SeverityText) IN ('ERROR', 'ERR', 'SEVERE'), 17,
            upper(SeverityText) IN ('WARN', 'WARNING'), 13,
            upper(SeverityText) IN ('INFO', 'INFORMATION', 'NOTICE'), 9,
            upper(SeverityText) IN ('DEBUG', 'TRACE'), 5,
            0
        )) AS level,
        multiIf(
            event = 'gen_ai.evaluation.result', 'evaluations',
            event = 'alertmanager.alert', 'alerts',
            LogAttributes['k8s.event.reason'] != '' OR LogAttributes['k8s.resource.name'] = 'events', 'k8s_events',
            LogAttributes['k8s.resource.name'] IN ('pods', 'nodes'), 'k8s_objects',
            (LogAttributes['feature_flag.key'] != '' AND match(event, '(?i)change|update|toggle'))
                OR ((LogAttributes['deployment.id'] != '' OR LogAttributes['deployment.name'] != '') AND match(event, '(?i)deploy'))
                OR (head != '' AND match(event, '(?i)^vcs[.]|commit|push|merge')), 'changes',
            ResourceAttributes['k8s.container.name'] = '' AND (
                LogAttributes['syslog.identifier'] = 'kernel' OR LogAttributes['SYSLOG_IDENTIFIER'] = 'kernel'
                OR LogAttributes['_TRANSPORT'] = 'kernel'
                OR LogAttributes['log.file.name'] IN ('kmsg', 'dmesg', 'kern.log', 'syslog', 'messages', 'fabricmanager.log')
                OR match(Body, 'NVRM: |nvidia-nvswitch\\d+: SXid|NVSwitch (non-)?fatal error| kernel: |oom-kill:constraint=|PCIe Bus Error: severity=|pcieport \\S+ AER: |knvlink[A-Z]|soft lockup - CPU|aborting fabric manager|in the multicast team request')
            ), 'kernel_logs',
            'logs'
        ) AS origin
    SELECT
        Timestamp, ServiceName, SeverityText, Body, EventName, TraceId, SpanId, ScopeName, LogAttributes, ResourceAttributes,
        level,
        origin,
        {sign:Int8} * toUnixTimestamp64Nano(Timestamp) AS place,
        cityHash64(Body, ServiceName, TraceId, SpanId, SeverityText, ScopeName, mapValues(LogAttributes), mapValues(ResourceAttributes)) AS hash
    FROM otel_logs
    PREWHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp <= fromUnixTimestamp64Nano({end:Int64})
-- if service
        AND ServiceName = {service:String}
-- end
-- if trace
        AND TraceId = {trace:String}
-- end
-- if text
        AND positionCaseInsensitiveUTF8(Body, {text:String}) > 0
-- end
-- if quotes
        AND multiSearchAny(Body, {quotes:Array(String)})
-- end
-- if names
        AND (ServiceName IN {names:Array(String)}
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes))
            OR arrayExists(v -> v IN {names:Array(String)}, mapValues(LogAttributes))
-- end
-- if bodies
            OR ((LogAttributes['k8s.event.reason'] != '' OR LogAttributes['k8s.resource.name'] IN ('events', 'pods', 'nodes'))
                AND multiSearchAny(Body, {bodies:Array(String)}))
-- end
-- if names
        )
-- end
-- if keys
        AND arrayAll((k, v) -> LogAttributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
)
WHERE 1
-- if severity
    AND level >= {severity:Int32}
-- end
-- if sources
    AND origin IN {sources:Array(String)}
-- end
-- if from_hash
    AND (place, hash) >= ({from_time:Int64}, {from_hash:UInt64})
-- end
ORDER BY
-- if nearer
    preferred DESC,
-- end
    place, hash
LIMIT {limit:UInt32}
