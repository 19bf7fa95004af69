-- Counters, ten a pod, as correlate_series.sql.
INSERT INTO otel_metrics_sum (ResourceAttributes, ServiceName, MetricName, MetricUnit, Attributes, TimeUnix, Value, Tenant, SeriesHash, AggregationTemporality, IsMonotonic)
SELECT resource, service, metric, '1', attributes, toDateTime64({start:UInt32} + 15 * i, 9, 'UTC'),
    15. * i * (m + 1) + 3 * (rand(i + 1) / 4294967296), 'default', hash, 2, true
FROM
(
    SELECT number AS s, intDiv(s, 10) AS p, s % 10 AS m, sipHash64('sum', s) AS hash, arrayJoin(range({steps:UInt32})) AS i,
        toLowCardinality(concat('app-', toString(p % 200))) AS service,
        concat(service, '-6d4cf56db6-', leftPad(lower(hex(p)), 5, 'x')) AS pod,
        toLowCardinality(concat(['requests', 'errors', 'tokens', 'bytes.sent', 'bytes.received', 'retries', 'batches', 'hits',
            'misses', 'evictions'][m + 1], '.total')) AS metric,
        map('service.name', service, 'k8s.pod.name', pod, 'k8s.namespace.name', 'prod', 'k8s.deployment.name', service,
            'k8s.node.name', concat('node-', toString(p % 100)))::Map(LowCardinality(String), LowCardinality(String)) AS resource,
        map()::Map(LowCardinality(String), LowCardinality(String)) AS attributes
    FROM numbers({first:UInt64}, {count:UInt64})
)
SETTINGS max_block_size = 1000, max_insert_threads = 1, max_execution_time = 600
