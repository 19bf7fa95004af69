-- Gauges of `series` pods' metrics, thirty a pod, from `start` (seconds) on, every 15 s, `steps` times; pods 7, 507, ...
-- triple in the last ten minutes.
INSERT INTO otel_metrics_gauge (ResourceAttributes, ServiceName, MetricName, MetricUnit, Attributes, TimeUnix, Value, Tenant, SeriesHash)
SELECT resource, service, metric, '1', attributes, toDateTime64({start:UInt32} + 15 * i, 9, 'UTC'),
    100 * (1 + m) * (1 + 0.1 * (rand(i + 1) / 4294967296 + rand(i + 2) / 4294967296 + rand(i + 3) / 4294967296 - 1.5))
        * if(p % 500 = 7 AND i >= {steps:UInt32} - 40, 3, 1),
    'default', hash
FROM
(
    SELECT number AS s, intDiv(s, 30) AS p, s % 30 AS m, sipHash64('gauge', s) AS hash, arrayJoin(range({steps:UInt32})) AS i,
        toLowCardinality(concat('app-', toString(p % 200))) AS service,
        concat(service, '-6d4cf56db6-', leftPad(lower(hex(p)), 5, 'x')) AS pod,
        toLowCardinality(concat(['cpu.load', 'memory.usage', 'queue.depth', 'active.sessions', 'cache.size', 'latency.p99',
            'temperature', 'pool.in_use', 'threads', 'kv_cache.usage'][m % 10 + 1], '.', toString(intDiv(m, 10)))) AS metric,
        map('service.name', service, 'k8s.pod.name', pod, 'k8s.namespace.name', 'prod', 'k8s.deployment.name', service,
            'k8s.node.name', concat('node-', toString(p % 100)), 'service.version', '1.4.2',
            'cloud.availability_zone', 'zone-a', 'host.name', concat('node-', toString(p % 100)))
            ::Map(LowCardinality(String), LowCardinality(String)) AS resource,
        map('shard', toString(m))::Map(LowCardinality(String), LowCardinality(String)) AS attributes
    FROM numbers({first:UInt64}, {count:UInt64})
)
SETTINGS max_block_size = 1000, max_insert_threads = 1, max_execution_time = 600
