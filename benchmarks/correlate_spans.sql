-- Traces of ten spans through five of forty services in `span_ns` from `start` (ns) on; svc-7 is six times slower in the
-- last eight minutes of an hour.
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, SpanKind, ServiceName, ResourceAttributes, SpanAttributes, Duration, StatusCode, Tenant)
SELECT fromUnixTimestamp64Nano(at), lower(hex(sipHash128(trace))), lower(hex(sipHash64(trace, k))),
    if(k = 0, '', lower(hex(sipHash64(trace, k - 1)))), concat('op-', toString(trace % 5)), if(k % 2 = 0, 'Server', 'Client'), service,
    map('service.name', service, 'k8s.pod.name', concat(service, '-7d9f8-', toString(trace % 3)), 'k8s.deployment.name', service,
        'k8s.node.name', concat('node-', toString(trace % 20)))::Map(LowCardinality(String), LowCardinality(String)),
    map('http.request.method', 'GET', 'http.response.status_code', '200', 'server.address', if(k % 2 = 1, next, '')),
    toUInt64((12 - k) * 5e6 * (1 + 0.2 * (rand(k) / 4294967296)) * if(service = 'svc-7' AND k % 2 = 0 AND at > {slow:Int64}, 6, 1)),
    'Unset', 'default'
FROM
(
    SELECT intDiv(number, 10) AS trace, number % 10 AS k, {start:Int64} + toInt64(trace * {every:Float64}) AS at,
        toLowCardinality(concat('svc-', toString((trace % 8) * 5 + intDiv(k, 2)))) AS service,
        concat('svc-', toString((trace % 8) * 5 + intDiv(k, 2) + 1)) AS next
    FROM numbers({first:UInt64}, {count:UInt64})
)
SETTINGS max_execution_time = 600
