"""The named queries behind the correlator's frames, on the real schema."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from correlate.frames import full_hour, load
from ingest.envelope import Signal
from store import Store, Window
from tests.kit import landing, otlp
from tests.kit.causal import nanos

PARAMS = {"tenant": "default", "start": nanos(0), "end": nanos(900)}


def insert(store: Store, table: str, **columns: Any) -> None:
    store.command(
        f"INSERT INTO {table} FORMAT JSONEachRow {json.dumps({'Tenant': 'default'} | columns)}",
        settings={"date_time_input_format": "best_effort"},
    )


def at(seconds: float) -> str:
    whole, rest = divmod(nanos(seconds), 10**9)
    return f"{whole}.{rest:09d}"


def log(store: Store, body: str, seconds: float = 10.0, **columns: Any) -> None:
    insert(store, "otel_logs", Timestamp=at(seconds), Body=body, **columns)


def test_kernel_lines_by_source_and_by_content(store: Store) -> None:
    log(store, "anything", LogAttributes={"syslog.identifier": "kernel"}, ResourceAttributes={"k8s.node.name": "n1"})
    log(store, "Mar  4 13:30:01 n2 kernel: [30.1] NVRM: Xid (PCI:0000:43:00): 95, pid=1")
    log(store, "NVRM: Xid quoted by an application", ResourceAttributes={"k8s.container.name": "app"})
    assert sorted(store.frame("kernel_logs", PARAMS).collect()["node"].to_list()) == ["n1", "n2"]


def test_events_of_both_receivers(store: Store) -> None:
    log(
        store,
        "Node n1 status is now: NodeNotReady",
        SeverityText="Normal",
        SeverityNumber=9,
        ResourceAttributes={"k8s.object.kind": "Node", "k8s.object.name": "n1"},
        LogAttributes={"k8s.event.reason": "NodeNotReady"},
    )
    target = {"kind": "Pod", "name": "p-0", "namespace": "a", "fieldPath": "spec.containers{c}"}
    watched = {
        "kind": "Event",
        "involvedObject": target,
        "reason": "BackOff",
        "message": "m",
        "type": "Warning",
        "count": 4,
        "source": {"component": "kubelet", "host": "n1"},
        "lastTimestamp": "2023-11-14T22:13:30Z",
    }
    log(store, json.dumps({"type": "MODIFIED", "object": watched}), 95.0, LogAttributes={"k8s.resource.name": "events"})
    newer = {
        "kind": "Event",
        "regarding": target,
        "reason": "Failed",
        "note": "n",
        "eventTime": "2023-11-14T22:13:40.5Z",
    }
    log(store, json.dumps(newer), 95.0, LogAttributes={"k8s.resource.name": "events"})
    log(store, json.dumps({"type": "DELETED", "object": watched}), 95.0, LogAttributes={"k8s.resource.name": "events"})
    rows = store.frame("k8s_events", PARAMS).collect().sort("time", "reason")
    assert rows.select("reason", "object_kind", "object", "node", "message", "count").rows() == [
        ("BackOff", "Pod", "p-0", "n1", "m", 4),
        ("NodeNotReady", "Node", "n1", "", "Node n1 status is now: NodeNotReady", 1),
        ("Failed", "Pod", "p-0", "", "n", 1),
    ]
    assert rows["type"].to_list() == ["Warning", "Normal", ""]


def test_evaluations(store: Store) -> None:
    attributes = {
        "gen_ai.evaluation.name": "Faithfulness",
        "gen_ai.evaluation.score.value": "0.31",
        "gen_ai.request.model": "m",
    }
    log(store, "", EventName="gen_ai.evaluation.result", LogAttributes=attributes)
    labelled = {
        "event.name": "gen_ai.evaluation.result",
        "gen_ai.evaluation.name": "Safe",
        "gen_ai.evaluation.score.label": "pass",
    }
    log(store, "", LogAttributes=labelled)
    rows = store.frame("evaluations", PARAMS).collect().sort("name")
    assert rows.select("name", "score", "label", "model").rows() == [
        ("Faithfulness", 0.31, "", "m"),
        ("Safe", None, "pass", ""),
    ]


def series(store: Store, metric: str, attributes: dict[str, str], resource: dict[str, str], **more: Any) -> None:
    row = {
        "MetricName": metric,
        "TimeUnix": at(10),
        "Value": 1.0,
        "Attributes": attributes,
        "ResourceAttributes": resource,
    }
    insert(store, "otel_metrics_gauge", SeriesHash=abs(hash((metric, str(attributes), str(resource)))), **(row | more))


def test_series_know_whose_they_are(store: Store) -> None:
    exporter = {"k8s.pod.name": "dcgm-exporter-abcde", "k8s.node.name": "n1", "service.instance.id": "10.0.0.9:9400"}
    series(
        store,
        "DCGM_FI_DEV_GPU_TEMP",
        {"UUID": "GPU-1", "pci_bus_id": "00000000:9B:00.0", "device": "nvidia4", "pod": "chat-0"},
        exporter,
    )
    series(
        store,
        "DCGM_FI_DEV_POWER_USAGE",
        {"UUID": "GPU-1", "Hostname": "n1", "pod": "dcgm-exporter-abcde", "exported_pod": "chat-0"},
        {},
    )
    series(
        store,
        "DCGM_FI_DEV_GPU_UTIL",
        {"UUID": "GPU-1", "pod": "dcgm-exporter-abcde", "container": "nvidia-dcgm-exporter"},
        {},
    )
    series(
        store,
        "kube_pod_info",
        {
            "pod": "chat-0",
            "pod_ip": "10.0.0.5",
            "node": "n1",
            "created_by_kind": "StatefulSet",
            "created_by_name": "chat",
        },
        {"service.name": "kube-state-metrics"},
    )
    series(
        store,
        "vllm:num_requests_waiting",
        {"model_name": "org/Chat"},
        {"service.instance.id": "10.0.0.5:8000"},
        ServiceName="chat",
    )
    series(
        store,
        "kube_node_status_condition",
        {"node": "n2", "condition": "Ready"},
        {"k8s.pod.name": "ksm-0", "k8s.node.name": "n9"},
    )
    series(store, "node_load1", {}, {"service.instance.id": "n3:9100", "server.address": "n3"})
    rows = store.frame("metric_series", PARAMS).collect()
    whose = {metric: (node, pod) for metric, node, pod in rows.select("metric", "node", "pod").rows()}
    assert whose == {
        "DCGM_FI_DEV_GPU_TEMP": ("n1", "chat-0"),
        "DCGM_FI_DEV_POWER_USAGE": ("n1", "chat-0"),
        "DCGM_FI_DEV_GPU_UTIL": ("", ""),
        "kube_pod_info": ("n1", "chat-0"),
        "vllm:num_requests_waiting": ("n1", "chat-0"),
        "kube_node_status_condition": ("n2", ""),
        "node_load1": ("n3", ""),
    }
    gpu = rows.filter(rows["metric"] == "DCGM_FI_DEV_GPU_TEMP").select("gpu", "gpu_bdf", "gpu_index").row(0)
    assert gpu == ("GPU-1", "0000:9b:00", "4")


def test_points_leave_out_what_is_no_number(store: Store) -> None:
    common = {"MetricName": "m", "SeriesHash": 1, "Attributes": {}}
    insert(store, "otel_metrics_gauge", TimeUnix=at(10), Value=1.5, **common)
    insert(store, "otel_metrics_sum", TimeUnix=at(20), Value=2.5, AggregationTemporality=2, IsMonotonic=True, **common)
    store.command(
        "INSERT INTO otel_metrics_gauge (Tenant, MetricName, SeriesHash, TimeUnix, Value) "
        f"SELECT 'default', 'm', 1, fromUnixTimestamp64Nano({nanos(30)}), nan"
    )
    insert(store, "otel_metrics_histogram", TimeUnix=at(10), Count=4, Sum=2.0, AggregationTemporality=1, **common)
    insert(store, "otel_metrics_summary", TimeUnix=at(20), Count=5, Sum=3.0, **common)
    assert store.frame("metric_points", PARAMS).collect().sort("time")["value"].to_list() == [1.5, 2.5]
    rows = store.frame("histogram_points", PARAMS).collect().sort("time").select("count", "sum", "delta").rows()
    assert rows == [(4.0, 2.0, True), (5.0, 3.0, False)]


def test_what_watched_pods_and_nodes_say(store: Store) -> None:
    """A container's state lies too deep to be kept as JSON; what is packed into bytes is read all the same."""
    device = {"resourceID": "GPU-1", "health": "Unhealthy", "message": "Xid 79"}
    states = {
        "name": "c",
        "restartCount": 3,
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 5m0s"}},
        "lastState": {"terminated": {"exitCode": 139, "reason": "Error"}},
        "allocatedResourcesStatus": [
            {
                "name": "nvidia.com/gpu",
                "resources": [device],
            }
        ],
    }
    pod = {
        "kind": "Pod",
        "metadata": {"name": "p-0", "namespace": "a", "uid": "u"},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running", "containerStatuses": [states]},
    }
    node = {
        "kind": "Node",
        "metadata": {"name": "n1"},
        "spec": {"unschedulable": True, "taints": [{"key": "k", "effect": "NoSchedule", "value": "v"}]},
        "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "r"}]},
    }
    records = []
    for kind, body in (("pods", {"type": "MODIFIED", "object": pod}), ("nodes", node)):
        record = LogRecord(time_unix_nano=nanos(10), body=otlp.any_value(body))
        otlp.put(record.attributes, {"k8s.resource.name": kind})
        records.append(record)
    landing.insert(store, Signal.LOGS, otlp.logs(*records))
    # The same pod as a sender writes it who makes text of objects.
    log(store, json.dumps(pod), 20.0, LogAttributes={"k8s.resource.name": "pods"})
    rows = store.frame("k8s_objects", PARAMS).collect()
    told = [
        ("device", "GPU-1", "Unhealthy", "Xid 79", 0.0),
        ("phase", "", "Running", "", 0.0),
        ("restarts", "c", "", "", 3.0),
        ("terminated", "c", "Error", "", 139.0),
        ("waiting", "c", "CrashLoopBackOff", "back-off 5m0s", 0.0),
    ]
    pods = rows.filter(kind="Pod").select("time", "what", "item", "state", "detail", "number").sort("time", "what")
    assert [row[1:] for row in pods.rows()] == told + told
    nodes = rows.filter(kind="Node").select("node", "what", "item", "state", "detail").sort("what")
    assert nodes.rows() == [
        ("n1", "condition", "Ready", "False", "r"),
        ("n1", "cordon", "", "True", ""),
        ("n1", "taint", "k", "NoSchedule", "v"),
    ]
    assert store.frame("logs", PARAMS).collect().is_empty()


def test_calls_of_models_and_what_guardrails_decided(store: Store) -> None:
    def span(name: str, **attributes: str) -> None:
        insert(
            store, "otel_traces", Timestamp=at(10), TraceId="t", SpanName=name, ServiceName="rag",
            SpanAttributes=attributes, ResourceAttributes={"k8s.node.name": "n1", "hw.gpu.model": "H100"},
        )  # fmt: skip

    span("chat", **{"gen_ai.request.model": "m", "gen_ai.response.model": "m-1", "gen_ai.usage.input_tokens": "900"})
    span("guard", **{"openinference.span.kind": "GUARDRAIL", "output.value": "Blocked: injection"})
    span("check", **{"guardrail.decision": "allow"})
    span("GET /", **{"http.route": "/"})
    rows = store.frame("gen_ai_calls", PARAMS).collect().sort("model", "decision")
    assert rows.select("model", "response_model", "input_tokens", "decision", "pool").rows() == [
        ("", "", None, "allow", "H100"),
        ("", "", None, "block", "H100"),
        ("m", "m-1", 900.0, "", "H100"),
    ]


def test_whole_hours_of_what_drifts_are_read_once_an_hour(store: Store) -> None:
    for seconds, value in ((-3000, 1.0), (-2000, 3.0), (10, 99.0)):
        point = {"TimeUnix": at(seconds), "Value": value, "SeriesHash": 1, "Attributes": {"model_name": "m"}}
        insert(store, "otel_metrics_gauge", MetricName="vllm:num_requests_waiting", ServiceName="llm", **point)
        insert(store, "otel_metrics_gauge", MetricName="of_no_interest", **point | {"SeriesHash": 2})
        counted = {"TimeUnix": at(seconds), "Value": value * 10, "SeriesHash": 3, "AggregationTemporality": 2}
        insert(store, "otel_metrics_sum", MetricName="gateway.retries", IsMonotonic=True, **counted)
    hour = full_hour(Window(nanos(-900), nanos(900)))
    assert hour is not None
    frames = load(store, "default", Window(nanos(-900), nanos(900)), 600.0, ["hourly_metrics"])
    rows = frames["hourly_metrics"].collect().sort("series")
    assert rows.select("series", "metric", "service", "model", "mean", "spread", "growth", "samples").rows() == [
        (1, "vllm:num_requests_waiting", "llm", "m", 2.0, 1.0, 2.0, 2.0),
        (3, "gateway.retries", "", "", 20.0, 0.0, 20.0, 2.0),
    ]
    between = load(store, "default", Window(nanos(0), nanos(900)), 600.0, ["hourly_metrics"])
    assert between["hourly_metrics"].collect().is_empty()
