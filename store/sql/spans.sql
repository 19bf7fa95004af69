-- Spans as rules read them, of one trace in {one_in}: identity in every vocabulary we join, and whether the call failed.
-- A call failed when the span says so, when its HTTP status is 5xx, when its gRPC status is one that a
-- server or network causes (UNKNOWN 2, DEADLINE_EXCEEDED 4, RESOURCE_EXHAUSTED 8, INTERNAL 13,
-- UNAVAILABLE 14, DATA_LOSS 15), or when an exception was recorded and nobody declared the span fine.
-- https://opentelemetry.io/docs/specs/semconv/http/http-spans/ and https://grpc.io/docs/guides/status-codes/
WITH
    coalesce(nullIf(SpanAttributes['http.response.status_code'], ''), SpanAttributes['http.status_code']) AS http_status,
    coalesce(nullIf(SpanAttributes['rpc.grpc.status_code'], ''), SpanAttributes['rpc.response.status_code']) AS rpc_status,
    indexOf(Events.Name, 'exception') AS exception_at
SELECT
    Timestamp AS time,
    TraceId AS trace_id,
    SpanId AS span_id,
    if(match(ParentSpanId, '^0*$'), '', ParentSpanId) AS parent_id,
    if(startsWith(ServiceName, 'unknown_service'), '', ServiceName) AS service,
    ResourceAttributes['service.version'] AS version,
    coalesce(nullIf(ResourceAttributes['k8s.pod.name'], ''), ResourceAttributes['pod']) AS pod,
    coalesce(nullIf(ResourceAttributes['k8s.node.name'], ''), nullIf(if(pod = '', ResourceAttributes['host.name'], ''), ''), '') AS node,
    coalesce(
        nullIf(ResourceAttributes['k8s.deployment.name'], ''), nullIf(ResourceAttributes['k8s.statefulset.name'], ''),
        nullIf(ResourceAttributes['k8s.daemonset.name'], ''), nullIf(ResourceAttributes['k8s.cronjob.name'], ''),
        ResourceAttributes['k8s.job.name']
    ) AS workload,
    SpanName AS name,
    SpanKind AS kind,
    Duration / 1e6 AS duration_ms,
    StatusCode = 'Error'
        OR toUInt16OrZero(http_status) >= 500
        OR rpc_status IN ('2', '4', '8', '13', '14', '15', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'INTERNAL', 'UNAVAILABLE', 'DATA_LOSS')
        OR (exception_at > 0 AND StatusCode != 'Ok') AS error,
    if(error, coalesce(
        nullIf(SpanAttributes['error.type'], ''),
        nullIf(if(exception_at > 0, Events.Attributes[exception_at]['exception.type'], ''), ''),
        nullIf(if(toUInt16OrZero(http_status) >= 500, http_status, ''), ''),
        nullIf(if(rpc_status != '0', rpc_status, ''), ''),
        StatusMessage
    ), '') AS error_type,
    coalesce(
        nullIf(SpanAttributes['peer.service'], ''), nullIf(SpanAttributes['service.peer.name'], ''),
        nullIf(SpanAttributes['server.address'], ''), nullIf(SpanAttributes['net.peer.name'], ''),
        nullIf(SpanAttributes['net.sock.peer.name'], ''), ''
    ) AS peer,
    coalesce(
        nullIf(SpanAttributes['gen_ai.request.model'], ''), nullIf(SpanAttributes['gen_ai.response.model'], ''),
        SpanAttributes['llm.model_name']
    ) AS model
FROM otel_traces
WHERE Tenant = {tenant:String}
    AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
    -- Whole traces or none of them, the same ones in every window.
    AND ({one_in:UInt32} = 1 OR cityHash64(TraceId) % {one_in:UInt32} = 0)
