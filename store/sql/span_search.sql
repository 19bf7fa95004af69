-- Spans in time order ({sign} 1) or newest first (-1), from the ({from_time}, {from_id}) key on. Empty filters mean "any";
-- {names} are names of one entity, compared with the values of all attributes. A call failed as in the query `spans`.
WITH
    toUInt16OrZero(coalesce(nullIf(SpanAttributes['http.response.status_code'], ''), SpanAttributes['http.status_code'])) >= 500
        OR coalesce(nullIf(SpanAttributes['rpc.grpc.status_code'], ''), SpanAttributes['rpc.response.status_code'])
            IN ('2', '4', '8', '13', '14', '15', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')
        OR StatusCode = 'Error' OR (has(Events.Name, 'exception') AND StatusCode != 'Ok') AS bad,
    {sign:Int8} * toUnixTimestamp64Nano(Timestamp) AS place
SELECT
    toUnixTimestamp64Nano(Timestamp) AS time,
    TraceId AS trace_id,
    SpanId AS span_id,
    if(match(ParentSpanId, '^0*$'), '', ParentSpanId) AS parent_id,
    ServiceName AS service,
    SpanName AS name,
    SpanKind AS kind,
    Duration / 1e6 AS duration_ms,
    StatusCode AS status,
    StatusMessage AS status_message,
    bad AS failed,
    ScopeName AS scope,
    toJSONString(SpanAttributes) AS attributes,
    toJSONString(ResourceAttributes) AS resource,
    toJSONString(arrayMap((t, n, a) -> tuple(toUnixTimestamp64Nano(t), n, a),
        Events.Timestamp, Events.Name, Events.Attributes)) AS events,
    toJSONString(arrayMap((t, s) -> tuple(t, s), Links.TraceId, Links.SpanId)) AS links
FROM otel_traces
PREWHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp <= fromUnixTimestamp64Nano({end:Int64})
-- if traces
    AND TraceId IN {traces:Array(String)}
-- end
-- if service
    AND ServiceName = {service:String}
-- end
-- if name
    AND SpanName = {name:String}
-- end
-- if status
    AND lower(StatusCode) = {status:String}
-- end
-- if min_ns
    AND Duration >= {min_ns:UInt64}
-- end
-- if names
    AND (ServiceName IN {names:Array(String)}
        OR arrayExists(v -> v IN {names:Array(String)}, mapValues(ResourceAttributes))
        OR arrayExists(v -> v IN {names:Array(String)}, mapValues(SpanAttributes)))
-- end
-- if keys
    AND arrayAll((k, v) -> SpanAttributes[k] = v OR ResourceAttributes[k] = v, {keys:Array(String)}, {values:Array(String)})
-- end
-- if failed
    AND bad = {failed:UInt8}
-- end
-- if from_id
    AND (place, concat(SpanId, TraceId)) >= ({from_time:Int64}, {from_id:String})
-- end
ORDER BY place, concat(SpanId, TraceId)
LIMIT {limit:UInt32}
