-- `series` gauges of each of four metrics, from `start` (seconds) on, every 15 s, steps `first_step` to `first_step + steps`.
INSERT INTO otel_metrics_gauge (ResourceAttributes, ServiceName, MetricName, MetricUnit, Attributes, TimeUnix, Value, Tenant, SeriesHash)
SELECT map('service.name', service)::Map(LowCardinality(String), LowCardinality(String)), service, metric, '',
    map('pod', concat('pod-', toString(p)), 'zone', concat('zone-', toString(p % 8)))::Map(LowCardinality(String), LowCardinality(String)),
    toDateTime64({start:UInt32} + 15 * i, 9, 'UTC'),
    round(100 * (1 + m) * (1 + 0.1 * (rand(i + 1) / 4294967296 + rand(i + 2) / 4294967296 - 1)), 3), 'default', hash
FROM
(
    SELECT number AS s, intDiv(s, 4) AS p, s % 4 AS m, sipHash64('query', s) AS hash,
        arrayJoin(range({first_step:UInt32}, {first_step:UInt32} + {steps:UInt32})) AS i,
        toLowCardinality(concat('app-', toString(p % 50))) AS service,
        toLowCardinality(concat('bench.', ['load', 'memory', 'queue', 'sessions'][m + 1])) AS metric
    FROM numbers(4 * {series:UInt64})
)
SETTINGS max_block_size = 500, max_insert_threads = 1, max_execution_time = 600
