-- `series` counters of one metric, as query_gauges.sql.
INSERT INTO otel_metrics_sum (ResourceAttributes, ServiceName, MetricName, MetricUnit, Attributes, TimeUnix, Value, Tenant, SeriesHash, AggregationTemporality, IsMonotonic)
SELECT map('service.name', service)::Map(LowCardinality(String), LowCardinality(String)), service, 'bench.requests', '',
    map('pod', concat('pod-', toString(p)), 'zone', concat('zone-', toString(p % 8)))::Map(LowCardinality(String), LowCardinality(String)),
    toDateTime64({start:UInt32} + 15 * i, 9, 'UTC'), 15. * i * (p % 7 + 1) + round(3 * (rand(i + 1) / 4294967296), 3),
    'default', hash, 2, true
FROM
(
    SELECT number AS p, sipHash64('counter', p) AS hash,
        arrayJoin(range({first_step:UInt32}, {first_step:UInt32} + {steps:UInt32})) AS i,
        toLowCardinality(concat('app-', toString(p % 50))) AS service
    FROM numbers({series:UInt64})
)
SETTINGS max_block_size = 500, max_insert_threads = 1, max_execution_time = 600
