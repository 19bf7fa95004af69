-- Whole hours of the metrics that are watched for slow drift: retries, restarts, queues, errors, memory and disks,
-- training and evaluation scores, versions. Read once an hour, by metric name, which is what the tables are sorted by.
WITH
    '(?i)retr(y|ies)|resend|restarts?(_total)?$|restart.count|queue|waiting|pending|ecc|remap|replay|nvlink.*(error|crc)|working_set|memory.available|filesystem|volume.available|disk_free|fb_used|temp|goodput|ettr|mfu|step_time|tokens_per_second|eval|quality|score|token.usage|generation_tokens|startup_time|ready_time|pod_created|success|request|^up$|DRIVER_VERSION|kube_node_info' AS watched
SELECT
    SeriesHash AS series,
    any(MetricName) AS metric,
    any(t) AS type,
    any(if(startsWith(ServiceName, 'unknown_service'), '', ServiceName)) AS service,
    any(ra['service.version']) AS version,
    any(coalesce(nullIf(a['k8s.node.name'], ''), nullIf(a['node'], ''), nullIf(a['Hostname'], ''), ra['k8s.node.name'])) AS node,
    any(coalesce(nullIf(a['exported_pod'], ''), nullIf(a['pod'], ''), nullIf(a['k8s.pod.name'], ''), ra['k8s.pod.name'])) AS pod,
    any(coalesce(nullIf(a['deployment'], ''), nullIf(ra['k8s.deployment.name'], ''), nullIf(ra['k8s.statefulset.name'], ''), ra['k8s.job.name'])) AS workload,
    any(coalesce(nullIf(a['gen_ai.request.model'], ''), nullIf(a['model_name'], ''), a['model'])) AS model,
    any(if(startsWith(a['UUID'], 'GPU-'), a['UUID'], if(startsWith(a['uuid'], 'GPU-'), a['uuid'], ''))) AS gpu,
    any(toJSONString(a)) AS labels,
    toDateTime64(toStartOfHour(at), 9, 'UTC') AS hour,
    if(type = 'histogram', if(argMax(n, at) > argMin(n, at), (argMax(v, at) - argMin(v, at)) / (argMax(n, at) - argMin(n, at)), 0.), avg(v)) AS mean,
    if(type = 'gauge', stddevPop(v), 0.) AS spread,
    -- A counter that fell was reset within the hour.
    multiIf(type = 'delta_sum', sum(v), argMax(v, at) >= argMin(v, at), argMax(v, at) - argMin(v, at), argMax(v, at)) AS growth,
    toFloat64(count()) AS samples
FROM
(
    SELECT SeriesHash, MetricName, ServiceName, ResourceAttributes AS ra, Attributes AS a, 'gauge' AS t, TimeUnix AS at, Value AS v, 0. AS n
    FROM otel_metrics_gauge
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Value)
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    UNION ALL
    SELECT SeriesHash, MetricName, ServiceName, ResourceAttributes, Attributes, if(AggregationTemporality = 1, 'delta_sum', 'sum'), TimeUnix, Value, 0.
    FROM otel_metrics_sum
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Value)
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
    UNION ALL
    SELECT SeriesHash, MetricName, ServiceName, ResourceAttributes, Attributes, 'histogram', TimeUnix, Sum, toFloat64(Count)
    FROM otel_metrics_histogram
    WHERE Tenant = {tenant:String} AND match(MetricName, watched) AND isFinite(Sum) AND AggregationTemporality != 1
        AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
)
GROUP BY SeriesHash, hour
-- What has less than a day behind it drifts too fast for this; the rules ask for more.
SETTINGS max_threads = 2
