"""Alerts of other systems arrive as telemetry: through the real pipeline, into the table and the frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.alertmanager import PostedAlert, logs_of
from api.app import create_app
from api.deps import Services
from api.errors import BadParameter
from api.reads.reading import Reader
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from store import Store
from tests.kit.serving import serving

ALERT = {
    "labels": {"alertname": "QueueFull", "severity": "critical", "pod": "llm-0"},
    "annotations": {"summary": "more than 100 wait"},
    "startsAt": "2026-03-02T08:26:00.123Z",
    "endsAt": "0001-01-01T00:00:00Z",
    "generatorURL": "http://prometheus/graph",
}


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60))
    pipeline.start()
    services = Services(Reader(store, "default"), lambda *_: "", take_logs=pipeline.take_logs)
    with serving(create_app(services)) as url, httpx.Client(base_url=url, timeout=90) as client:
        yield client
    pipeline.stop()


def alerts(store: Store) -> list[dict[str, Any]]:
    now = time.time_ns()
    return store.rows("alerts", {"tenant": "default", "start": now - 600 * 10**9, "end": now + 600 * 10**9})


def test_both_ways_in(http: httpx.Client, store: Store) -> None:
    hook = {"version": "4", "status": "firing", "alerts": [ALERT | {"status": "resolved", "fingerprint": "f"}], "x": 1}
    for path, body in (("/api/v2/alerts", [ALERT]), ("/api/v1/alertmanager/webhook", hook)):
        answer = http.post(path, json=body)
        assert (answer.status_code, answer.json()) == (200, {"alerts": 1}), answer.text
    firing, resolved = sorted(alerts(store), key=lambda row: row["status"])
    assert (firing["name"], firing["status"], firing["pod"]) == ("QueueFull", "firing", "llm-0")
    assert firing["severity"] == "critical"
    assert firing["started"].isoformat() == "2026-03-02T08:26:00.123000+00:00"
    assert firing["summary"] == "more than 100 wait"
    assert (resolved["status"], resolved["fingerprint"]) == ("resolved", "f")
    found = http.get("/api/v1/logs", params={"attribute": "alert.name=QueueFull"}).json()["logs"]
    assert {row["source"] for row in found} == {"alerts"}


def test_our_own_alerts_do_not_come_back(http: httpx.Client, store: Store) -> None:
    ours = ALERT | {"labels": {"alertname": "CauselineIncident", "causeline_incident": "inc-1"}}
    assert http.post("/api/v2/alerts", json=[ours]).status_code == 200
    assert http.post("/api/v2/alerts", json=[]).status_code == 200
    assert alerts(store) == []


@pytest.mark.parametrize(
    "body",
    [{}, [{}], [{"labels": 1}], [{"labels": {}, "startsAt": "soon"}], [{"labels": {"a": "x" * 5000}}], "x",
     [{"labels": {}, "startsAt": "1950-01-01T00:00:00Z"}]],
)  # fmt: skip
def test_what_is_no_alert_is_400(http: httpx.Client, body: Any) -> None:
    answer = http.post("/api/v2/alerts", json=body)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_what_ended_is_resolved_and_what_ends_later_fires() -> None:
    now = 1_800_000_000 * 10**9
    for ends, status in (("2000-01-01T00:00:00Z", b"resolved"), ("2100-01-01T00:00:00Z", b"firing")):
        assert status in logs_of([PostedAlert(labels={"a": "b"}, endsAt=ends)], now)
    with pytest.raises(BadParameter):
        logs_of([PostedAlert(labels={}, startsAt="x")], now)
