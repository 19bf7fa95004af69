-- Spans of the traces with these ids, up to {each} of a trace, in order of time. The lookup table tells which days to read.
-- Its times are made DateTime64 first: the engine's index analysis turns `Timestamp < x` of a DateTime x into
-- `Timestamp <= x - 1 s`, and skips spans of the last second.
WITH
    (
        SELECT (toDateTime64(min(Start), 9, 'UTC'), toDateTime64(max(End) + INTERVAL 1 SECOND, 9, 'UTC')) FROM otel_traces_trace_id_ts
        WHERE Tenant = {tenant:String} AND TraceId IN {ids:Array(String)}
    ) AS span
SELECT
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_id,
    TraceState AS trace_state,
    Flags AS flags,
    SpanName AS name,
    SpanKind AS kind,
    ServiceName AS service,
    toUnixTimestamp64Nano(Timestamp) AS start,
    Duration AS duration,
    StatusCode AS status,
    StatusMessage AS message,
    ScopeName AS scope,
    ScopeVersion AS scope_version,
    mapKeys(ScopeAttributes) AS scope_keys,
    mapValues(ScopeAttributes) AS scope_values,
    mapKeys(ResourceAttributes) AS resource_keys,
    mapValues(ResourceAttributes) AS resource_values,
    arrayMap(t -> toString(t), ResourceAttributeTypes) AS resource_types,
    mapKeys(SpanAttributes) AS keys,
    mapValues(SpanAttributes) AS values,
    arrayMap(t -> toString(t), SpanAttributeTypes) AS types,
    arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp) AS event_times,
    Events.Name AS event_names,
    arrayMap(e -> mapKeys(e), Events.Attributes) AS event_keys,
    arrayMap(e -> mapValues(e), Events.Attributes) AS event_values,
    Links.TraceId AS link_trace_ids,
    Links.SpanId AS link_span_ids,
    arrayMap(l -> l['opentracing.ref_type'], Links.Attributes) AS link_kinds
FROM otel_traces
WHERE Tenant = {tenant:String} AND TraceId IN {ids:Array(String)}
    AND Timestamp >= span.1 AND Timestamp < span.2
    AND toStartOfHour(Timestamp) >= toStartOfHour(span.1) AND toStartOfHour(Timestamp) <= toStartOfHour(span.2)
ORDER BY TraceId, Timestamp, SpanId
LIMIT {each:UInt32} BY TraceId
