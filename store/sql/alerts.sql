-- Alerts that Alertmanager, or whoever speaks its API, sent to us (api/alertmanager.py keeps them as log records), with the
-- entity that their labels name in the vocabularies of kube-state-metrics, cAdvisor, DCGM and OpenTelemetry.
WITH label AS
(
    SELECT Timestamp AS time, LogAttributes AS a, Body AS summary
    FROM otel_logs
    WHERE Tenant = {tenant:String}
        AND Timestamp >= fromUnixTimestamp64Nano({start:Int64}) AND Timestamp < fromUnixTimestamp64Nano({end:Int64})
        AND EventName = 'alertmanager.alert'
)
SELECT
    time,
    a['alert.name'] AS name,
    a['alert.status'] AS status,
    lower(coalesce(nullIf(a['alert.label.severity'], ''), nullIf(a['alert.label.priority'], ''), '')) AS severity,
    coalesce(fromUnixTimestamp64Nano(toInt64OrNull(a['alert.started_ns']), 'UTC'), time) AS started,
    summary,
    a['alert.fingerprint'] AS fingerprint,
    coalesce(nullIf(a['alert.label.UUID'], ''), a['alert.label.gpu_uuid']) AS gpu,
    coalesce(nullIf(a['alert.label.exported_pod'], ''), nullIf(a['alert.label.pod'], ''), a['alert.label.k8s_pod_name']) AS pod,
    coalesce(nullIf(a['alert.label.node'], ''), nullIf(a['alert.label.Hostname'], ''), a['alert.label.k8s_node_name']) AS node,
    coalesce(nullIf(a['alert.label.deployment'], ''), nullIf(a['alert.label.statefulset'], ''), a['alert.label.daemonset']) AS workload,
    coalesce(nullIf(a['alert.label.service_name'], ''), nullIf(a['alert.label.service'], ''), a['alert.label.job']) AS service,
    coalesce(nullIf(a['alert.label.model_name'], ''), a['alert.label.model']) AS model
FROM label
