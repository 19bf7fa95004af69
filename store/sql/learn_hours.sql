-- Add the whole hours of [start, end) of the metrics that are watched for slow drift: retries, restarts, queues, errors,
-- memory and disks, training and evaluation scores, versions. They are found by name, which is what the tables are sorted by.
-- A point that was delivered again is one point.
INSERT INTO metric_hours (Tenant, Hour, SeriesHash, Mean, Spread, Growth, Samples)
WITH
    '(?i)retr(y|ies)|resend|restarts?(_total)?$|restart.count|queue|waiting|pending|ecc|remap|replay|nvlink.*(error|crc)|working_set|memory.available|filesystem|volume.available|disk_free|fb_used|temp|goodput|ettr|mfu|step_time|tokens_per_second|eval|quality|score|token.usage|generation_tokens|startup_time|ready_time|pod_created|success|request|^up$|workflow|DRIVER_VERSION|kube_node_info' AS watched
SELECT {tenant:String}, toStartOfHour(at) AS hour, SeriesHash,
    if(any(kind) = 'histogram', if(argMax(n, at) > argMin(n, at), (argMax(v, at) - argMin(v, at)) / (argMax(n, at) - argMin(n, at)), 0.), avg(v)),
    if(any(kind) = 'gauge', stddevPop(v), 0.),
    -- A counter that fell was reset within the hour.
    multiIf(any(kind) = 'delta_sum', sum(v), argMax(v, at) >= argMin(v, at), argMax(v, at) - argMin(v, at), argMax(v, at)),
    count()
FROM
(
    SELECT SeriesHash, kind, at, max(v) AS v, max(n) AS n
    FROM
    (
    SELECT SeriesHash, 'gauge' AS kind, TimeUnix AS at, Value AS v, 0. AS n
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Value)
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    UNION ALL
    SELECT SeriesHash, if(AggregationTemporality = 1, 'delta_sum', 'sum'), TimeUnix, Value, 0.
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Value)
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    UNION ALL
    SELECT SeriesHash, 'histogram', TimeUnix, Sum, toFloat64(Count)
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Sum) AND AggregationTemporality != 1
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    )
    GROUP BY SeriesHash, kind, at
)
GROUP BY SeriesHash, hour
UNION ALL
SELECT {tenant:String}, arrayJoin(timeSlots(toDateTime(fromUnixTimestamp64Nano({start:Int64}), 'UTC'),
    toUInt32(intDiv({end:Int64} - {start:Int64}, 1000000000) - 1), 3600)), 0, 0., 0., 0., 0
