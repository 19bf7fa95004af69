-- Kubernetes events of both collector shapes: the k8s_events receiver flattens them into attributes, the
-- k8sobjects receiver sends the object itself (watch wraps it in {type, object}, pull does not; core/v1 and
-- events.k8s.io/v1 name their fields differently). Rows are bounded by when the event happened, not by when
-- it was read, so that an event cannot fall between two windows.
WITH flat AS
(
    SELECT
        Timestamp AS time,
        LogAttributes['k8s.event.reason'] AS reason,
        multiIf(SeverityText IN ('Warning', 'Normal'), SeverityText, SeverityNumber >= 13, 'Warning', 'Normal') AS type,
        -- An event without an object that a service sends is about that service.
        ResourceAttributes['k8s.object.name'] = '' AND ServiceName != '' AND NOT startsWith(ServiceName, 'unknown_service') AS own,
        if(own, 'Service', ResourceAttributes['k8s.object.kind']) AS object_kind,
        if(own, ServiceName, ResourceAttributes['k8s.object.name']) AS object,
        ResourceAttributes['k8s.object.uid'] AS object_uid,
        coalesce(nullIf(LogAttributes['k8s.namespace.name'], ''), ResourceAttributes['k8s.namespace.name']) AS namespace,
        ResourceAttributes['k8s.node.name'] AS node,
        Body AS message,
        ResourceAttributes['k8s.object.fieldpath'] AS fieldpath,
        toInt64OrDefault(LogAttributes['k8s.event.count'], toInt64(1)) AS count,
        LogAttributes['k8s.event.action'] AS source
    FROM otel_logs
    WHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
        AND LogAttributes['k8s.event.reason'] != ''
),
raw AS
(
    SELECT Timestamp, if(JSONHas(Body, 'object'), JSONExtractRaw(Body, 'object'), Body) AS event
    FROM otel_logs
    WHERE Tenant = {tenant:String}
        -- Watched events arrive after they happened; ten minutes covers a slow collector.
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64})
        AND Timestamp < fromUnixTimestamp64Nano({end:Int64}) + INTERVAL 10 MINUTE
        AND LogAttributes['k8s.resource.name'] = 'events'
        AND LogAttributes['k8s.event.reason'] = ''
        AND JSONExtractString(Body, 'type') != 'DELETED'
),
watched AS
(
    SELECT
        coalesce(
            parseDateTime64BestEffortOrNull(JSONExtractString(event, 'series', 'lastObservedTime'), 9, 'UTC'),
            parseDateTime64BestEffortOrNull(JSONExtractString(event, 'lastTimestamp'), 9, 'UTC'),
            parseDateTime64BestEffortOrNull(JSONExtractString(event, 'eventTime'), 9, 'UTC'),
            parseDateTime64BestEffortOrNull(JSONExtractString(event, 'deprecatedLastTimestamp'), 9, 'UTC'),
            parseDateTime64BestEffortOrNull(JSONExtractString(event, 'firstTimestamp'), 9, 'UTC'),
            Timestamp
        ) AS time,
        JSONExtractString(event, 'reason') AS reason,
        JSONExtractString(event, 'type') AS type,
        if(JSONHas(event, 'involvedObject'), JSONExtractRaw(event, 'involvedObject'), JSONExtractRaw(event, 'regarding')) AS target,
        JSONExtractString(target, 'kind') AS object_kind,
        JSONExtractString(target, 'name') AS object,
        JSONExtractString(target, 'uid') AS object_uid,
        JSONExtractString(target, 'namespace') AS namespace,
        coalesce(nullIf(JSONExtractString(event, 'source', 'host'), ''), JSONExtractString(event, 'deprecatedSource', 'host')) AS node,
        coalesce(nullIf(JSONExtractString(event, 'message'), ''), JSONExtractString(event, 'note')) AS message,
        JSONExtractString(target, 'fieldPath') AS fieldpath,
        greatest(JSONExtractInt(event, 'count'), JSONExtractInt(event, 'series', 'count'), 1) AS count,
        coalesce(nullIf(JSONExtractString(event, 'source', 'component'), ''), JSONExtractString(event, 'reportingComponent')) AS source
    FROM raw
)
SELECT time, reason, type, object_kind, object, object_uid, namespace, node, message, fieldpath, count, source
FROM
(
    SELECT time, reason, type, object_kind, object, object_uid, namespace, node, message, fieldpath, count, source FROM flat
    UNION ALL
    SELECT time, reason, type, object_kind, object, object_uid, namespace, node, message, fieldpath, count, source FROM watched
)
WHERE time >= fromUnixTimestamp64Nano({start:Int64}) AND time < fromUnixTimestamp64Nano({end:Int64}) AND reason != ''
