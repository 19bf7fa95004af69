"""The API over HTTP on a real store that holds two incidents the correlator made."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.engine import Detection
from correlate.incident import assemble
from correlate.jobs import submit
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signal, signals
from tests.kit.serving import serving

WINDOW = Window(nanos(-60), nanos(7200))
# An hour later, elsewhere.
OTHER = signal("pod.crash_loop", "kubernetes", "pod:weaviate-0", 3600, lasts=60, score=8.0)


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    rows, topology = signals(*GPU_STORY, OTHER), edges(*SERVING)
    names = entities(**{"gpu__GPU-1": ["n1/gpu0"]})
    found = assemble(rows, names, topology, nanos(7200), "default", CorrelateSettings())
    save_detection(store, "default", Detection(WINDOW, rows, names, topology, ()), 1)
    save_incidents(store, "default", found, WINDOW, WINDOW, 1)
    services = Services(Reader(store, "default"), partial(submit, store))
    with serving(create_app(services)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def listed(http: httpx.Client, **query: str | list[str]) -> list[dict[str, Any]]:
    answer = http.get("/api/v1/incidents", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["incidents"]
    return found


def test_an_incident_has_the_form_that_tools_rely_on(http: httpx.Client) -> None:
    newest, gpu = listed(http)
    assert newest["root_causes"][0]["entity"]["name"] == "weaviate-0"
    assert set(gpu) >= {
        "id", "title", "state", "severity", "started_at", "ended_at", "updated_at", "score", "root_causes",
        "unknown", "blast_radius", "signal_count",
    }  # fmt: skip
    cause = gpu["root_causes"][0]
    assert cause["rank"] == 1
    assert cause["entity"] == {"type": "gpu", "name": "GPU-1", "aliases": ["n1/gpu0"]}
    assert cause["kind"] == "xid.79"
    assert cause["explanation"]
    assert len(cause["signal_ids"]) == 1
    assert gpu["severity"] == "critical"
    assert 0 < gpu["score"] <= 1
    assert {"type": "model", "name": "phi-4"} in gpu["blast_radius"]


@on_both_homes
def test_filters(http: httpx.Client) -> None:
    newest, gpu = listed(http)
    assert listed(http, entity="N1/GPU0") == listed(http, entity="gpu-1") == [gpu]
    assert listed(http, severity="critical") == [gpu]
    assert listed(http, severity=["critical", newest["severity"]]) == [newest, gpu]
    assert listed(http, q="weaviate") == [newest]
    assert listed(http, service="Gateway") == listed(http, model="phi-4", service="phi") == [gpu]
    assert listed(http, service="phi-4") == listed(http, model="phi-4", q="weaviate") == []
    assert listed(http, state="open") == []
    assert listed(http, start=newest["started_at"]) == [newest]
    assert listed(http, end=gpu["started_at"]) == [gpu]
    assert listed(http, q="100%_'; DROP TABLE incidents") == []


def test_pages_follow_each_other(http: httpx.Client) -> None:
    newest, gpu = listed(http)
    first = http.get("/api/v1/incidents", params={"limit": "1"}).json()
    assert first["incidents"] == [newest]
    second = http.get("/api/v1/incidents", params={"limit": "1", "cursor": first["next_cursor"]}).json()
    assert second == {"incidents": [gpu], "next_cursor": None}


def test_an_answer_that_is_known_is_not_sent_again(http: httpx.Client) -> None:
    gpu = listed(http)[1]["id"]
    for path in ("/api/v1/incidents", f"/api/v1/incidents/{gpu}"):
        first = http.get(path)
        again = http.get(path, headers={"If-None-Match": f'"other", {first.headers["etag"]}'})
        assert (again.status_code, again.content) == (304, b"")
    http.post(f"/api/v1/incidents/{gpu}/comments", json={"text": "seen"})
    assert http.get(path, headers={"If-None-Match": first.headers["etag"]}).status_code == 200


@on_both_homes
def test_one_incident_has_timeline_graph_and_evidence(http: httpx.Client) -> None:
    gpu = listed(http)[1]
    detail = http.get(f"/api/v1/incidents/{gpu['id']}").json()
    assert {key: detail[key] for key in gpu} == gpu
    assert detail["root_causes"][0]["speaks_for"]
    assert detail["links"]["evidence"].endswith("/evidence")
    times = [entry["time"] for entry in detail["timeline"]]
    assert times == sorted(times)
    assert [entry["role"] for entry in detail["timeline"]] == ["cause", "effect", "effect", "effect", "effect"]
    assert {node["name"] for node in detail["graph"]["nodes"]} >= {"GPU-1", "phi-0"}
    assert all({"lag_s", "weight"} <= set(edge) for edge in detail["graph"]["edges"])
    assert len(detail["evidence"]) == gpu["signal_count"] == 5
    first = gpu["root_causes"][0]["signal_ids"][0]
    assert http.get(f"/api/v1/signals/{first}").json()["kind"] == "xid.79"


@pytest.mark.parametrize("path", ["incidents/inc-0", "signals/0", "correlations/window:default:1:2", "nothing"])
def test_what_is_not_there_is_404(http: httpx.Client, path: str) -> None:
    answer = http.get(f"/api/v1/{path}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 404


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({"limit": "1001"}, "limit"),
        ({"limit": "٣"}, "limit"),
        ({"severity": "loud"}, "severity"),
        ({"entity": "x" * 201}, "entity"),
        ({"q": "a\x00b"}, "q"),
        ({"start": "now"}, "start"),
        ({"start": "2", "end": "1"}, "start"),
        ({"cursor": "####"}, "cursor"),
    ],
)
def test_a_bad_parameter_is_named(http: httpx.Client, query: dict[str, str], parameter: str) -> None:
    answer = http.get("/api/v1/incidents", params=query)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["parameter"] == parameter


def test_a_correlation_is_queued_once_for_the_same_range(http: httpx.Client) -> None:
    body = {"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T09:00:00Z"}
    first, again = (http.post("/api/v1/correlations", json=body) for _ in range(2))
    assert first.status_code == again.status_code == 202
    assert first.json()["id"] == again.json()["id"]
    assert first.json()["state"] == "queued"
    assert http.get(first.headers["location"]).json() == first.json()


@pytest.mark.parametrize("body", ["", "[]", "{}", '{"start": "soon", "end": "later"}', '{"start": 1, "end": 1}', "{"])
def test_a_bad_correlation_request_is_400_and_never_422(http: httpx.Client, body: str) -> None:
    answer = http.post("/api/v1/correlations", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_wrong_method_is_405_in_the_same_form(http: httpx.Client) -> None:
    answer = http.delete("/api/v1/incidents")
    assert answer.status_code == 405
    assert answer.headers["content-type"] == "application/problem+json"


def test_health_and_status(http: httpx.Client) -> None:
    assert http.get("/healthz").json() == {"status": "ok"}
    assert http.get("/readyz").json() == {"status": "ready", "reasons": []}
    status = http.get("/api/v1/status").json()
    assert status["counts"]["spans"] == 0
    assert status["version"]


def test_the_openapi_document_describes_every_parameter(http: httpx.Client) -> None:
    document = http.get("/openapi.json").json()
    described = document["paths"]["/api/v1/incidents"]["get"]["parameters"]
    assert {p["name"] for p in described} == {
        "start", "end", "limit", "cursor", "state", "severity", "entity", "service", "model", "q",
    }  # fmt: skip
    assert all(p["description"] for p in described)


AGAIN = [
    # The same story on other hardware two hours later.
    signal("xid.79", "gpu", "gpu:GPU-2", 7200 + 0, score=9.0),
    signal("pod.crash_loop", "kubernetes", "pod:weaviate-0", 7200 + 40, lasts=60, score=8.0),
]


def assembled(store: Store, version: int, *rows: dict[str, Any]) -> None:
    found = signals(*rows)
    window = Window(nanos(-60), nanos(14400))
    names, topology = entities(), edges(*SERVING)
    save_detection(store, "default", Detection(window, found, names, topology, ()), version)
    incidents = assemble(found, names, topology, nanos(14400), "default", CorrelateSettings())
    save_incidents(store, "default", incidents, window, window, version)


def test_an_incident_tells_its_history_and_what_was_like_it(http: httpx.Client, store: Store) -> None:
    assembled(store, 2_000_000, *GPU_STORY, OTHER, *AGAIN)
    newest = listed(http)[0]
    detail = http.get(f"/api/v1/incidents/{newest['id']}").json()
    assert [entry["kind"] for entry in detail["history"]] == ["opened"]
    assert detail["history"][0]["time"].startswith("1970-01-01T00:00:00.002")
    similar = detail["similar"]
    assert [other["similarity"] for other in similar] == sorted((o["similarity"] for o in similar), reverse=True)
    assert similar
    assert all(0 < other["similarity"] <= 1 for other in similar)
    assert all(other["started_at"] < newest["started_at"] for other in similar)
    assert newest["id"] not in {other["id"] for other in similar}


def test_an_incident_that_was_merged_leads_to_the_other(http: httpx.Client, store: Store) -> None:
    gone, stays = listed(http)
    store.command(
        "INSERT INTO incident_events (Tenant, IncidentId, At, Kind, Other, Version)"
        " VALUES ('default', {gone:String}, now64(3), 'merged', {stays:String}, 1)",
        {"gone": gone["id"], "stays": stays["id"]},
    )
    # It is still there: what was merged once may have come apart again.
    assert http.get(f"/api/v1/incidents/{gone['id']}").status_code == 200
    store.command("TRUNCATE TABLE incidents")
    answer = http.get(f"/api/v1/incidents/{gone['id']}")
    assert (answer.status_code, answer.headers["location"]) == (308, f"/api/v1/incidents/{stays['id']}")
    assert http.get(answer.headers["location"]).status_code == 404
