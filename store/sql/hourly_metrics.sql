-- Whole hours of the metrics that are watched for slow drift, with whose they are.
SELECT
    series, metric, type,
    if(startsWith(service_name, 'unknown_service'), '', service_name) AS service,
    ra['service.version'] AS version,
    coalesce(nullIf(a['k8s.node.name'], ''), nullIf(a['node'], ''), nullIf(a['Hostname'], ''), ra['k8s.node.name']) AS node,
    coalesce(nullIf(a['exported_pod'], ''), nullIf(a['pod'], ''), nullIf(a['k8s.pod.name'], ''), ra['k8s.pod.name']) AS pod,
    coalesce(nullIf(a['deployment'], ''), nullIf(ra['k8s.deployment.name'], ''), nullIf(ra['k8s.statefulset.name'], ''), ra['k8s.job.name']) AS workload,
    coalesce(nullIf(a['gen_ai.request.model'], ''), nullIf(a['model_name'], ''), a['model']) AS model,
    if(startsWith(a['UUID'], 'GPU-'), a['UUID'], if(startsWith(a['uuid'], 'GPU-'), a['uuid'], '')) AS gpu,
    toJSONString(a) AS labels,
    toDateTime64(hours.Hour, 9, 'UTC') AS hour,
    hours.Mean AS mean,
    hours.Spread AS spread,
    hours.Growth AS growth,
    toFloat64(hours.Samples) AS samples
FROM
(
    SELECT SeriesHash, Hour, Mean, Spread, Growth, Samples
    FROM metric_hours FINAL
    WHERE Tenant = {tenant:String} AND SeriesHash != 0
        AND Hour >= toDateTime(fromUnixTimestamp64Nano({start:Int64})) AND Hour < toDateTime(fromUnixTimestamp64Nano({end:Int64}))
) AS hours
INNER JOIN
(
    SELECT SeriesHash AS series, any(MetricName) AS metric, any(Type) AS type, any(ServiceName) AS service_name,
        any(ResourceAttributes) AS ra, any(Attributes) AS a
    FROM metric_identities
    WHERE Tenant = {tenant:String}
    GROUP BY series
) AS identities ON hours.SeriesHash = identities.series
