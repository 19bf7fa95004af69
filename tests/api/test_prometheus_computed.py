"""Series that nobody sent: incidents, alerts and what spans say, through Prometheus' API."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.engine import Detection
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.kit.causal import GPU_STORY, SERVING, T0, edges, entities, nanos, signals
from tests.kit.landing import insert
from tests.kit.mesh import Mesh
from tests.kit.serving import serving

WINDOW = Window(nanos(-60), nanos(7200))
SPANS_FROM = T0 + 20_000
FAULT = SPANS_FROM + 600
SPANS_TO = SPANS_FROM + 1200


@pytest.fixture(scope="module")
def store(module_store: Store) -> Store:
    """The migrated store with an incident and traces."""
    return module_store


@pytest.fixture(scope="module")
def http(store: Store) -> Iterator[httpx.Client]:
    rows, topology, names = signals(*GPU_STORY), edges(*SERVING), entities()
    found = assemble(rows, names, topology, nanos(7200), "default", CorrelateSettings())
    save_detection(store, "default", Detection(WINDOW, rows, names, topology, ()), 1)
    save_incidents(store, "default", found, WINDOW, WINDOW, 1)
    for signal, body in Mesh().requests(SPANS_FROM * 10**9, SPANS_TO * 10**9, FAULT * 10**9):
        insert(store, signal, body)
    app = create_app(Services(Reader(store, "default"), lambda *_: ""))
    with serving(app) as url, httpx.Client(base_url=f"{url}/prometheus/api/v1", timeout=60) as client:
        yield client


def asked(http: httpx.Client, query: str, at: float) -> list[dict[str, Any]]:
    answer = http.get("/query", params={"query": query, "time": at})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def test_an_incident_is_a_series_while_it_lasts(http: httpx.Client) -> None:
    (active,) = asked(http, "incident_active", T0 + 120)
    assert set(active["metric"]) >= {"__name__", "incident_id", "title", "severity", "state"}
    assert active["value"][1] == "1"
    assert asked(http, "incident_active", T0 - 60) == []
    (alert,) = asked(http, 'ALERTS{alertstate="firing"}', T0 + 120)
    assert alert["metric"]["alertname"] == "xid.79"
    assert alert["metric"]["incident_id"] == active["metric"]["incident_id"]


def test_ranked_causes_are_scores(http: httpx.Client) -> None:
    scores = asked(http, "sort_desc(incident_score)", T0 + 120)
    assert scores[0]["metric"]["rank"] == "1"
    assert scores[0]["metric"]["cause"] == "GPU-1"
    assert [float(each["value"][1]) for each in scores] == sorted(
        (float(each["value"][1]) for each in scores), reverse=True
    )


def test_an_annotation_query_shows_a_region(http: httpx.Client) -> None:
    query: dict[str, Any] = {"query": "incident_active", "start": T0 - 600, "end": T0 + 600, "step": 60}
    (series,) = http.get("/query_range", params=query).json()["data"]["result"]
    assert series["values"][0][0] == T0
    assert {value for _, value in series["values"]} == {"1"}


def test_rules_and_alerts_tell_of_open_incidents(http: httpx.Client, store: Store) -> None:
    """An incident of years ago is no alert of now; one that began a minute ago is."""
    assert http.get("/alerts").json()["data"]["alerts"] == []
    now = time.time_ns()
    store.command(
        "INSERT INTO incidents (Tenant, IncidentId, Title, State, Severity, StartedAt, UpdatedAt, Score, RootCauses, "
        "BlastRadius, Version) SELECT 'default', 'i-now', 'A \"quoted\" one', 'open', 'high', "
        "fromUnixTimestamp64Nano({at:Int64}), fromUnixTimestamp64Nano({at:Int64}), 0.5, '[]', '[]', 1",
        {"at": now - 60 * 10**9},
    )
    (alert,) = http.get("/alerts").json()["data"]["alerts"]
    assert alert["labels"]["incident_id"] == "i-now"
    assert alert["annotations"]["summary"] == 'A "quoted" one'
    (group,) = http.get("/rules").json()["data"]["groups"]
    assert [rule["state"] for rule in group["rules"]] == ["firing"]
    assert http.get("/rules", params={"rule_name[]": "other"}).json()["data"]["groups"] == []


def test_spans_are_counted_by_operation(http: httpx.Client) -> None:
    query = 'sum by (service) (increase(traces_spanmetrics_calls_total{span_kind="SPAN_KIND_SERVER"}[15m]))'
    calls = {each["metric"]["service"]: float(each["value"][1]) for each in asked(http, query, SPANS_TO)}
    assert set(calls) == {"storefront", "checkout", "ledger"}
    # One request every three seconds.
    assert calls["ledger"] == pytest.approx(300, rel=0.15)
    slow = "histogram_quantile(0.5, sum by (le) (rate(traces_spanmetrics_latency_bucket{service='ledger'}[4m])))"
    (before,), (during,) = asked(http, slow, FAULT - 30), asked(http, slow, FAULT + 270)
    assert float(during["value"][1]) > 3 * float(before["value"][1])


def test_requests_between_services_are_a_graph(http: httpx.Client) -> None:
    query = "sum by (client, server) (increase(traces_service_graph_request_total[15m]))"
    found = {(each["metric"]["client"], each["metric"]["server"]) for each in asked(http, query, SPANS_TO)}
    assert found == {("storefront", "checkout"), ("checkout", "ledger")}
    failed = "sum by (server) (increase(traces_service_graph_request_failed_total[4m]))"
    assert all(float(each["value"][1]) == 0 for each in asked(http, failed, FAULT - 30))
    assert any(float(each["value"][1]) > 5 for each in asked(http, failed, FAULT + 270))
