"""People's decisions over HTTP: each once, told in the history, and refused in a sentence when it cannot be."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from correlate.engine import Detection
from correlate.passes import rebuild_incidents
from correlate.persist import save_detection
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.causal import GPU_STORY, SERVING, edge, edges, entities, nanos, signal, signals

WINDOW = Window(nanos(-60), nanos(1800))
OTHER = signal("pod.crash_loop", "kubernetes", "pod:weaviate-0", 300, lasts=60, score=8.0)
DEPLOY = signal("change.rollout", "change", "workload:invoices", -50, score=5.0)
QUIET = (edge("node:n1", "pod:quiet-0"), edge("pod:quiet-0", "workload:quiet", "owned"))


@pytest.fixture
def incidents(store: Store) -> dict[str, str]:
    """Ids of two incidents, by their first cause."""
    rows, names = signals(*GPU_STORY, OTHER, DEPLOY), entities(gpu__GPU_1=[], node__n1=["n1.local"], pod__quiet_0=[])
    topology = edges(*SERVING, *QUIET, edge("gpu:GPU-1", "pod:quiet-0", "used_by"))
    save_detection(store, "default", Detection(WINDOW, rows, names, topology, ()), 1)
    rebuild_incidents(store, "default", WINDOW, CorrelateSettings(), nanos(320))
    held = store.rows("correlate_members", {"tenant": "default", "start": nanos(-1e5), "end": nanos(1e5)})
    about = {row["id"]: row["incident_id"] for row in held}
    name = dict(zip(rows["id"].to_list(), rows["entity"].to_list(), strict=True))
    return {name[i]: incident for i, incident in about.items() if name[i] in ("GPU-1", "weaviate-0")}


def post(api: httpx.Client, incident: str, verb: str, body: Any = None, status: int = 200, key: str = "") -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    answer = api.post(f"/api/v1/incidents/{incident}/{verb}", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json()


@on_both_homes
def test_a_life(api: httpx.Client, incidents: dict[str, str]) -> None:
    gpu = incidents["GPU-1"]
    assert post(api, gpu, "acknowledge")["state"] == "acknowledged"
    assert post(api, gpu, "assign", {"assignee": "ann"})["assignee"] == "ann"
    assert api.get("/api/v1/incidents", params={"state": "acknowledged"}).json()["incidents"][0]["assignee"] == "ann"
    done = post(api, gpu, "resolve", {"text": "new <b>board</b>"})
    assert done["state"] == "resolved"
    assert done["ended_at"] == done["updated_at"]
    assert post(api, gpu, "reopen")["ended_at"] is None
    told = post(api, gpu, "comments", {"text": "it is back"})["history"]
    assert [entry["kind"] for entry in told] == [
        "opened", "acknowledged", "assigned", "resolved", "reopened", "commented",
    ]  # fmt: skip
    assert {entry["who"] for entry in told} == {"", "anonymous"}
    assert told[3]["text"] == "new <b>board</b>"


@on_both_homes
def test_merge_and_split_over_http(api: httpx.Client, incidents: dict[str, str]) -> None:
    gpu, other = incidents["GPU-1"], incidents["weaviate-0"]
    merged = post(api, other, "merge", {"into": gpu, "text": "one rack"})
    assert merged["id"] == gpu
    assert "weaviate-0" in {entry["entity"]["name"] for entry in merged["timeline"]}
    moved = api.get(f"/api/v1/incidents/{other}")
    assert (moved.status_code, moved.headers["location"]) == (308, f"/api/v1/incidents/{gpu}")
    new = post(api, gpu, "split", {"entities": [{"type": "pod", "name": "weaviate-0"}]}, 201)
    assert {entry["entity"]["name"] for entry in new["timeline"]} == {"weaviate-0"}
    assert [entry["kind"] for entry in new["history"]] == ["split"]


def test_a_verdict_is_kept_with_what_was_shown(api: httpx.Client, incidents: dict[str, str]) -> None:
    gpu, about = incidents["GPU-1"], {"type": "gpu", "name": "GPU-1"}
    shown = post(api, gpu, "causes", {"entity": about, "verdict": "confirmed", "text": "replaced"})
    post(api, gpu, "causes", {"entity": {"type": "rack", "name": "r9"}, "verdict": "rejected"})
    cause = shown["root_causes"][0]
    assert [(f["entity"], f["verdict"], f["rank"]) for f in shown["feedback"]] == [(about, "confirmed", 1)]
    assert shown["feedback"][0]["terms"] == cause["terms"]
    first = api.get("/api/v1/feedback", params={"limit": 1}).json()
    rest = api.get("/api/v1/feedback", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert [f["rank"] for f in first["feedback"] + rest["feedback"]] == [0, 1]
    assert rest["next_cursor"] is None


def test_a_request_sent_again_does_nothing_twice(api: httpx.Client, incidents: dict[str, str]) -> None:
    gpu, key = incidents["GPU-1"], "k-1"
    first = post(api, gpu, "comments", {"text": "once"}, key=key)
    assert post(api, gpu, "comments", {"text": "once"}, key=key) == first
    assert [entry["kind"] for entry in first["history"]].count("commented") == 1
    assert post(api, gpu, "comments", {"text": "twice"}, 409, key=key)["type"].endswith("idempotency-key-in-use")
    assert post(api, gpu, "resolve", None, 409, key=key)


@pytest.mark.parametrize(
    ("verb", "body", "status"),
    [
        ("acknowledge", {"text": "x" * 4001}, 400), ("acknowledge", [], 400), ("reopen", None, 409),
        ("assign", {}, 400),
        ("comments", {"text": ""}, 400), ("comments", {"text": "a\x00"}, 400), ("merge", {"into": "inc-0"}, 404),
        ("split", {}, 400), ("split", {"signal_ids": ["none"]}, 409),
        ("causes", {"entity": {"type": "gpu", "name": "x"}, "verdict": "perhaps"}, 400),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(
    api: httpx.Client, incidents: dict[str, str], verb: str, body: Any, status: int
) -> None:
    answer = post(api, incidents["GPU-1"], verb, body, status)
    assert answer["status"] == status
    assert answer["detail"]
    words = {"text": "a"} if verb == "comments" else body
    if status != 400:
        assert post(api, "inc-none", verb, words, 404)


def test_what_is_around_an_incident(api: httpx.Client, incidents: dict[str, str]) -> None:
    detail = api.get(f"/api/v1/incidents/{incidents['GPU-1']}").json()
    assert {"type": "pod", "name": "quiet-0"} in detail["at_risk"]
    assert {"type": "workload", "name": "quiet"} in detail["at_risk"]
    assert [(c["entity"]["name"], c["before_s"], c["involved"]) for c in detail["changes"]] == [
        ("invoices", 50.0, False)
    ]


@pytest.mark.parametrize(
    ("entity", "verdict"),
    [
        ("gpu/GPU-1", "is_cause"), ("pod/phi-0", "explained_by"), ("pod/weaviate-0", "apart"),
        ("node/n1.local", "no_signal"), ("rack/r1", "unknown_entity"),
    ],
)  # fmt: skip
def test_why_something_is_not_the_cause(
    api: httpx.Client, incidents: dict[str, str], entity: str, verdict: str
) -> None:
    answer = api.get(f"/api/v1/incidents/{incidents['GPU-1']}/why-not", params={"entity": entity}).json()
    assert (answer["verdict"], bool(answer["reasons"])) == (verdict, True), answer
    assert (answer["rank"] is None) == (verdict in {"apart", "no_signal", "unknown_entity"})


def test_entities_and_topology(api: httpx.Client, incidents: dict[str, str]) -> None:
    found = api.get("/api/v1/entities", params={"q": "N1.LOCAL"}).json()["entities"]
    assert [(e["type"], e["name"]) for e in found] == [("node", "n1")]
    first = api.get("/api/v1/entities", params={"limit": 1}).json()
    second = api.get("/api/v1/entities", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["entities"] != second["entities"]
    gpu = api.get("/api/v1/entities/gpu/GPU_1").json()
    assert gpu["signals"] == []
    node = api.get("/api/v1/entities/node/n1.local").json()
    assert {e["dst"]["name"] for e in node["carries"]} == {"GPU-1", "phi-0", "quiet-0"}
    whole = api.get("/api/v1/topology").json()
    assert len(whole["edges"]) == len(SERVING) + len(QUIET) + 1
    assert api.get("/api/v1/topology", params={"at": "1"}).json()["edges"] == []
    page = api.get("/api/v1/topology", params={"limit": 4}).json()
    rest = api.get("/api/v1/topology", params={"cursor": page["next_cursor"]}).json()
    assert page["edges"] + rest["edges"] == whole["edges"]
    mine = api.get("/api/v1/topology", params={"entity": "service/phi"}).json()["edges"]
    assert {(e["src"]["name"], e["dst"]["name"]) for e in mine} == {
        ("phi-w", "phi"), ("phi", "phi-4"), ("phi", "gateway"),
    }  # fmt: skip
    nodes = {n["id"]: n["arc__error"] for n in api.get("/api/v1/topology/nodes").json()["nodes"]}
    assert (nodes["gpu/GPU-1"], nodes["pod/quiet-0"]) == (1.0, 0.0)
    drawn = api.get("/api/v1/topology/edges").json()["edges"]
    assert {end for e in drawn for end in (e["source"], e["target"])} == set(nodes)
    for path in ("entities/gpu/none", "entities/none/GPU-1"):
        assert api.get(f"/api/v1/{path}").status_code == 404
