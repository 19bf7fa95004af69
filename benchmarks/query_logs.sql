-- `count` log records of forty services, one every `every` ns from `start` (ns) on; one in fifty is an error.
INSERT INTO otel_logs (Timestamp, TraceId, SpanId, SeverityText, SeverityNumber, ServiceName, Body, ResourceAttributes, LogAttributes, Tenant)
SELECT fromUnixTimestamp64Nano({start:Int64} + toInt64(number * {every:Float64})), lower(hex(sipHash128(intDiv(number, 2)))),
    lower(hex(sipHash64(number))), if(error, 'ERROR', 'INFO'), if(error, 17, 9), service,
    concat(if(error, 'upstream timed out after ', 'handled request in '), toString(rand() % 900), ' ms for tenant ', toString(number % 1000)),
    map('service.name', service, 'k8s.pod.name', concat(service, '-7d9f8-', toString(number % 3)), 'k8s.node.name',
        concat('node-', toString(number % 20)))::Map(LowCardinality(String), LowCardinality(String)),
    map('http.route', concat('/v1/', toString(number % 12)), 'request.id', lower(hex(sipHash64(number, 1)))), 'default'
FROM (SELECT number, toLowCardinality(concat('svc-', toString(number % 40))) AS service, number % 50 = 0 AS error
    FROM numbers({first:UInt64}, {count:UInt64}))
SETTINGS max_execution_time = 600
