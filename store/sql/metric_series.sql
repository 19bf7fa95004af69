-- One row per metric series: its name, kind and identity in every vocabulary we join.
-- Exporters that describe other objects (kube-state-metrics, cAdvisor, DCGM, node-exporter) name those in
-- attributes while their resource names the exporter, so attributes win and the exporter's own pod is never used.
WITH times AS
(
    SELECT SeriesHash, min(since) AS first, max(until) AS last, sum(n) AS samples
    FROM
    (
        SELECT SeriesHash, min(TimeUnix) AS since, max(TimeUnix) AS until, count() AS n
        FROM otel_metrics_gauge
        WHERE Tenant = {tenant:String}
            AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
            AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
        GROUP BY SeriesHash
        UNION ALL
        SELECT SeriesHash, min(TimeUnix) AS since, max(TimeUnix) AS until, count() AS n
        FROM otel_metrics_sum
        WHERE Tenant = {tenant:String}
            AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
            AND bitAnd(Flags, 1) = 0 AND isFinite(Value)
        GROUP BY SeriesHash
        UNION ALL
        SELECT SeriesHash, min(TimeUnix) AS since, max(TimeUnix) AS until, count() AS n
        FROM otel_metrics_histogram
        WHERE Tenant = {tenant:String}
            AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
            AND bitAnd(Flags, 1) = 0 AND isFinite(Sum)
        GROUP BY SeriesHash
        UNION ALL
        SELECT SeriesHash, min(TimeUnix) AS since, max(TimeUnix) AS until, count() AS n
        FROM otel_metrics_exponential_histogram
        WHERE Tenant = {tenant:String}
            AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
            AND bitAnd(Flags, 1) = 0 AND isFinite(Sum)
        GROUP BY SeriesHash
        UNION ALL
        SELECT SeriesHash, min(TimeUnix) AS since, max(TimeUnix) AS until, count() AS n
        FROM otel_metrics_summary
        WHERE Tenant = {tenant:String}
            AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
            AND bitAnd(Flags, 1) = 0 AND isFinite(Sum)
        GROUP BY SeriesHash
    )
    GROUP BY SeriesHash
),
seen AS
(
    SELECT SeriesHash, any(MetricName) AS MetricName, any(MetricUnit) AS MetricUnit, any(ServiceName) AS ServiceName,
        any(ResourceAttributes) AS ra, any(Attributes) AS a, any(Type) AS type, any(Monotonic) AS monotonic
    FROM metric_identities
    WHERE Tenant = {tenant:String}
    GROUP BY SeriesHash
),
-- Scraped targets are often known by address only; kube-state-metrics says whose address it is.
address AS
(
    SELECT a['pod_ip'] AS ip, any(a['pod']) AS pod, any(a['namespace']) AS namespace, any(a['node']) AS node
    FROM seen
    WHERE MetricName = 'kube_pod_info' AND SeriesHash IN
        (
            SELECT SeriesHash FROM otel_metrics_gauge WHERE Tenant = {tenant:String} AND MetricName = 'kube_pod_info'
                AND TimeUnix >= fromUnixTimestamp64Nano({start:Int64}) AND TimeUnix < fromUnixTimestamp64Nano({end:Int64})
        )
        AND a['pod_ip'] != '' AND a['host_network'] != 'true'
    GROUP BY ip
),
described AS
(
    SELECT seen.*, times.first AS first, times.last AS last, times.samples AS samples,
        match(MetricName, '^(kube_|container_|DCGM_|node_)') AS exported,
        startsWith(MetricName, 'DCGM_') AS dcgm,
        coalesce(nullIf(ra['server.address'], ''), splitByChar(':', ra['service.instance.id'])[1]) AS target,
        coalesce(nullIf(a['exported_pod'], ''), nullIf(a['pod'], ''), nullIf(a['pod_name'], ''), a['k8s.pod.name']) AS named_pod,
        coalesce(nullIf(a['exported_container'], ''), nullIf(a['container'], ''), a['container_name']) AS named_container,
        -- Without honorLabels the DCGM pod label is the exporter itself, not the pod that uses the GPU.
        if(dcgm AND a['exported_pod'] = '' AND named_container LIKE '%exporter%', '', named_pod) AS used_by
    FROM seen
    INNER JOIN times ON seen.SeriesHash = times.SeriesHash
)
SELECT
    SeriesHash AS series,
    MetricName AS metric,
    MetricUnit AS unit,
    type,
    monotonic,
    ServiceName AS service,
    coalesce(
        nullIf(a['k8s.node.name'], ''), nullIf(a['exported_node'], ''), nullIf(a['node'], ''),
        nullIf(a['kubernetes_node'], ''), nullIf(if(dcgm, coalesce(nullIf(a['Hostname'], ''), a['hostname']), ''), ''),
        nullIf(ra['k8s.node.name'], ''), nullIf(if(exported, '', address.node), ''),
        nullIf(if(MetricName LIKE 'node\\_%' AND NOT match(target, '^[0-9.:]*$'), target, ''), ''),
        nullIf(if(ra['k8s.pod.name'] = '' AND NOT exported, ra['host.name'], ''), ''), ''
    ) AS node,
    coalesce(nullIf(used_by, ''), if(exported, '', coalesce(nullIf(ra['k8s.pod.name'], ''), address.pod))) AS pod,
    coalesce(
        nullIf(a['exported_namespace'], ''), nullIf(if(dcgm AND used_by = '', '', a['namespace']), ''),
        if(exported, '', coalesce(nullIf(ra['k8s.namespace.name'], ''), address.namespace))
    ) AS namespace,
    coalesce(
        nullIf(if(exported OR ra['k8s.pod.name'] = '', coalesce(nullIf(a['deployment'], ''), nullIf(a['statefulset'], ''),
            nullIf(a['daemonset'], ''), nullIf(a['job_name'], ''), a['replicaset']), ''), ''),
        nullIf(if(used_by = '' OR used_by = ra['k8s.pod.name'], coalesce(nullIf(ra['k8s.deployment.name'], ''),
            nullIf(ra['k8s.statefulset.name'], ''), nullIf(ra['k8s.daemonset.name'], ''), ra['k8s.job.name']), ''), ''),
        nullIf(if(MetricName = 'kube_pod_info', a['created_by_name'], ''), ''), ''
    ) AS workload,
    multiIf(
        exported AND a['deployment'] != '', 'Deployment',
        exported AND a['statefulset'] != '', 'StatefulSet',
        exported AND a['daemonset'] != '', 'DaemonSet',
        exported AND a['job_name'] != '', 'Job',
        MetricName = 'kube_pod_info', a['created_by_kind'],
        ra['k8s.deployment.name'] != '', 'Deployment',
        ra['k8s.statefulset.name'] != '', 'StatefulSet',
        ra['k8s.daemonset.name'] != '', 'DaemonSet',
        ra['k8s.job.name'] != '', 'Job',
        ''
    ) AS workload_kind,
    coalesce(nullIf(if(dcgm AND used_by = '', '', named_container), ''), ra['k8s.container.name']) AS container,
    coalesce(nullIf(a['UUID'], ''), nullIf(a['gpu_uuid'], ''), a['uuid']) AS uuid_label,
    if(startsWith(uuid_label, 'GPU-') OR startsWith(uuid_label, 'MIG-'), uuid_label, '') AS gpu,
    -- DCGM writes an eight-digit domain and a function; the kernel writes neither.
    lower(extract(a['pci_bus_id'], '([0-9A-Fa-f]{4}:[0-9A-Fa-f]{2}:[0-9A-Fa-f]{2})(?:\\.|$)')) AS gpu_bdf,
    if(dcgm OR gpu != '', coalesce(nullIf(extract(a['device'], '^nvidia(\\d+)$'), ''), extract(a['gpu'], '^\\d+$')), '') AS gpu_index,
    coalesce(
        nullIf(a['gen_ai.request.model'], ''), nullIf(a['model_name'], ''), nullIf(a['gen_ai.response.model'], ''), nullIf(a['model'], ''), ''
    ) AS model,
    ra['service.version'] AS version,
    coalesce(
        nullIf(ra['cloud.availability_zone'], ''), nullIf(a['label_topology_kubernetes_io_zone'], ''), nullIf(a['topology_kubernetes_io_zone'], ''), ''
    ) AS zone,
    coalesce(
        nullIf(if(ra['container.image.name'] != '', concat(ra['container.image.name'],
            if(ra['container.image.tag'] != '', ':', ''), ra['container.image.tag']), ''), ''),
        nullIf(if(MetricName LIKE 'kube_pod%container_info', a['image'], ''), ''), ''
    ) AS image,
    toJSONString(mapConcat(mapFilter((k, v) -> k = 'k8s.container.status.last_terminated_reason', ra), a)) AS labels,
    first,
    last,
    samples
FROM described
LEFT JOIN address ON described.target = address.ip AND address.ip != ''
