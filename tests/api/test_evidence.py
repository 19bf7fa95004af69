"""From a signal back to the very records it was made of."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from correlate.engine import Detection
from correlate.evidence import LOGS, selection
from correlate.frames import FRAMES
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.rules import RULES
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.causal import SERVING, edges, entities, nanos, signal, signals
from tests.kit.rows import gauge, insert, log, span

WINDOW = Window(nanos(-60), nanos(7200))
XID = signal(
    "xid.79", "gpu", "gpu:GPU-1", 0, score=10.0, severity="critical", rule="kernel_xid",
    evidence=json.dumps({"line": "GPU has fallen off the bus.", "node": "n1", "bdf": "0000:9b:00"}),
)  # fmt: skip
RESTART = signal(
    "pod.restart", "kubernetes", "pod:phi-0", 5, score=7.0, rule="k8s_events",
    evidence=json.dumps({"reason": "BackOff", "object": "phi-0", "message": 'failed container "llm"'}),
)  # fmt: skip
ERRORS = signal(
    "trace.errors", "trace", "service:gateway", 70, lasts=240, score=7.0, rule="trace_errors",
    evidence=json.dumps({"part": "chat", "error_type": "504", "traces": ["t1"]}),
)  # fmt: skip
QUEUE = signal(
    "serving.queue", "metric", "pod:phi-0", 60, lasts=300, score=6.0, rule="serving_health",
    evidence=json.dumps({"metric": "vllm:num_requests_waiting"}),
)  # fmt: skip


@pytest.fixture
def incident(store: Store) -> str:
    """The id of an incident made of four signals, with the telemetry behind them and beside them."""
    insert(
        store, "otel_logs",
        log("NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.", 0, ResourceAttributes={"host.name": "n1"}),
        log("NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.", 0, ResourceAttributes={"host.name": "n2"}),
        log("nothing to see", 0, ResourceAttributes={"host.name": "n1"}),
        log('Back-off restarting failed container "llm"', 5, LogAttributes={"k8s.event.reason": "BackOff"},
            ResourceAttributes={"k8s.object.name": "phi-0", "k8s.object.kind": "Pod"}),
        log('Back-off restarting failed container "llm"', 5, LogAttributes={"k8s.event.reason": "BackOff"},
            ResourceAttributes={"k8s.object.name": "phi-9", "k8s.object.kind": "Pod"}),
    )  # fmt: skip
    insert(
        store, "otel_traces",
        span("chat", 70, "t1", 1, ServiceName="gateway", StatusCode="Error"),
        span("chat", 71, "t1", 2, ServiceName="phi"),
        span("chat", 72, "t2", 3, ServiceName="gateway", StatusCode="Error"),
    )  # fmt: skip
    waiting = "vllm:num_requests_waiting"
    insert(
        store, "otel_metrics_gauge",
        *[gauge(waiting, n * 10, n, 1, ResourceAttributes={"k8s.pod.name": "phi-0"}) for n in range(30)],
        *[gauge(waiting, n * 10, n, 2, ResourceAttributes={"k8s.pod.name": "phi-1"}) for n in range(30)],
    )  # fmt: skip
    rows, topology, names = signals(XID, RESTART, ERRORS, QUEUE), edges(*SERVING), entities(gpu__GPU_1=[])
    save_detection(store, "default", Detection(WINDOW, rows, names, topology, ()), 1)
    found = assemble(rows, names, topology, nanos(7200), "default", CorrelateSettings())
    save_incidents(store, "default", found, WINDOW, WINDOW, 1)
    assert found.incidents.height == 1
    return str(found.incidents["incident_id"][0])


def records_of(api: httpx.Client, incident: str, kind: str) -> list[dict[str, Any]]:
    evidence = api.get(f"/api/v1/incidents/{incident}").json()["evidence"]
    wanted = next(row["signal_id"] for row in evidence if row["kind"] == kind)
    page = api.get(f"/api/v1/signals/{wanted}/evidence").json()
    assert page["next_cursor"] is None
    assert {item["signal_id"] for item in page["items"]} <= {wanted}
    return [item["record"] for item in page["items"]]


@on_both_homes
def test_a_kernel_line_an_event_spans_and_a_series(api: httpx.Client, incident: str) -> None:
    line, *others = records_of(api, incident, "xid.79")
    assert (line["resource"], others) == ({"host.name": "n1"}, [])
    event, *others = records_of(api, incident, "pod.restart")
    assert (event["source"], event["resource"]["k8s.object.name"], others) == ("k8s_events", "phi-0", [])
    failed, *others = records_of(api, incident, "trace.errors")
    assert (failed["type"], failed["trace_id"], failed["service"], others) == ("span", "t1", "gateway", [])
    series, *others = records_of(api, incident, "serving.queue")
    assert (series["resource"], others) == ({"k8s.pod.name": "phi-0"}, [])
    assert len(series["points"]) > 3


def test_an_incidents_records_come_in_pages_causes_first(api: httpx.Client, incident: str) -> None:
    path = f"/api/v1/incidents/{incident}/evidence"
    whole = api.get(path).json()
    assert [item["record"]["type"] for item in whole["items"]] == ["log", "log", "series", "span"]
    assert [sought["kind"] for sought in whole["sought"]] == ["xid.79", "pod.restart", "serving.queue", "trace.errors"]
    items, cursor = [], None
    while True:
        page = api.get(path, params={"limit": 1, **({"cursor": cursor} if cursor else {})}).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert items == whole["items"]
    only = api.get(path, params={"kind": "span"}).json()
    assert [item["record"]["type"] for item in only["items"]] == ["span"]
    assert api.get(path, params={"kind": "log", "cursor": page["next_cursor"] or "AAAA"}).status_code == 400
    assert api.get("/api/v1/signals/none/evidence").status_code == 404
    assert api.get("/api/v1/incidents/none/evidence").status_code == 404


def test_a_tenant_sees_nothing_of_another(api: httpx.Client, store: Store, incident: str) -> None:
    store.command("TRUNCATE TABLE otel_logs")
    line = "NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus."
    insert(store, "otel_logs", log(line, 0, Tenant="other", ResourceAttributes={"host.name": "n1"}))
    assert records_of(api, incident, "xid.79") == []
    # What is quoted is looked for elsewhere when the place is not named.
    insert(store, "otel_logs", log(line, 0, ResourceAttributes={"collector": "c"}))
    assert len(records_of(api, incident, "xid.79")) == 1


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rules_signals_have_records_to_look_for(rule: Any) -> None:
    chosen = selection(rule.name, rule.family, "x", "e", [], 0, 0, {})
    assert set(rule.reads) <= set(FRAMES)
    assert chosen.logs or chosen.spans or chosen.series
    assert set(LOGS) <= set(FRAMES)


def test_evidence_of_any_form_is_read() -> None:
    def chosen(evidence: Any, rule: str = "a site's own", family: str = "gpu") -> Any:
        return selection(rule, family, "x", "e", ["a"], 100, 200, evidence)

    assert chosen(None).names == ["e", "a"]
    assert chosen({"callers": '["s1","s2"]', "node": "", "pod": 3}).places == ["s1", "s2"]
    assert chosen({"metrics": ["m"]}).series
    assert chosen({"line": 'say "no"'}).quotes == ['say "no"', 'say \\"no\\"']
    assert chosen({}, family="nobody knows").logs == ["logs"]
