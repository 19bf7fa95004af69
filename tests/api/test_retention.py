"""Retention and deletions over HTTP, with a worker's upkeep done by hand."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.upkeep import Upkeep
from store import Store
from store.retention.keeper import Retention
from store.retention.plan import DAY_NS
from store.retention.settings import RetentionSettings
from tests.kit.rows import insert
from tests.kit.serving import serving

NOW = time.time_ns()


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """A policy file that keeps logs for five days."""
    path = tmp_path / "retention.toml"
    path.write_text("version = 1\n[keep]\nlogs = 5\n[pins]\nmonths = 1\n", encoding="utf-8")
    return path


@pytest.fixture
def retention(policy: Path) -> Retention:
    """Retention under that policy."""
    return Retention(RetentionSettings(policy=policy))


@pytest.fixture
def http(store: Store, retention: Retention) -> Iterator[httpx.Client]:
    services = Services(Reader(store, "default"), lambda *_: "", retention=retention)
    with serving(create_app(services)) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client


def log(store: Store, days: int, tenant: str = "default", **columns: object) -> None:
    """A log record of some days ago."""
    at = f"{(NOW - days * DAY_NS) // 10**9}.0"
    insert(store, "otel_logs", {"Tenant": tenant, "Timestamp": at, "Body": f"{days}"} | columns)


def bodies(store: Store) -> list[str]:
    """Log records there are."""
    return [row["b"] for row in store.page("SELECT Body AS b FROM otel_logs ORDER BY Timestamp")]


def test_a_plan_tells_a_tenants_part_and_changes_nothing(http: httpx.Client, store: Store) -> None:
    log(store, 9)
    log(store, 1)
    log(store, 9, "other")
    plan = http.get("/api/v1/retention/plan", params={"days": 0}).json()
    (due,) = plan["days"]
    day = time.strftime("%Y-%m-%d", time.gmtime((NOW - 9 * DAY_NS) // 10**9))
    assert (due["table"], due["tenant"], due["rows"], due["pinned_rows"], due["day"]) == (
        "otel_logs",
        "default",
        1,
        0,
        day,
    )
    assert due["bytes"] > 0
    assert plan["policy"]
    assert (plan["complaint"], plan["rows"], plan["pins"]) == ("", [], [])
    assert len(http.get("/api/v1/retention/plan", params={"days": 5}).json()["days"]) == 2
    assert http.get("/api/v1/retention/plan", params={"days": -1}).status_code == 400
    assert len(bodies(store)) == 3


def test_a_new_policy_waits_unless_somebody_asks(
    http: httpx.Client, store: Store, retention: Retention, policy: Path
) -> None:
    log(store, 9)
    log(store, 1)
    upkeep = Upkeep(store, retention, every_s=0)
    upkeep.look()
    upkeep.look()
    assert bodies(store) == ["9", "1"]
    asked = http.post("/api/v1/retention/runs").json()
    assert asked["state"] == "asked"
    upkeep.look()
    done = http.get(f"/api/v1/retention/runs/{asked['id']}").json()
    assert (done["state"], done["removed"], done["who"]) == ("done", 1, "anonymous")
    assert bodies(store) == ["1"]
    assert http.get("/api/v1/retention/runs/none").status_code == 404
    # Once its time of grace is over, nobody has to ask.
    log(store, 9)
    Upkeep(store, Retention(RetentionSettings(policy=policy, grace_s=0)), every_s=0).look()
    assert bodies(store) == ["1"]


def test_a_file_that_became_wrong_changes_nothing(http: httpx.Client, retention: Retention, policy: Path) -> None:
    name = retention.policy.name
    policy.write_text("version = 1\n[keep]\nlogs = -5\n", encoding="utf-8")
    plan = http.get("/api/v1/retention/plan").json()
    assert plan["policy"] == name
    assert "keep.logs" in plan["complaint"]
    policy.write_text("version = 1\n[keep]\nlogs = 50\n", encoding="utf-8")
    assert http.get("/api/v1/retention/plan").json()["policy"] not in ("", name)


def test_a_deletion_is_counted_asked_for_and_proved(http: httpx.Client, store: Store, retention: Retention) -> None:
    for tenant in ("default", "other"):
        log(store, 1, tenant, LogAttributes={"user.id": "alice-4711"})
        log(store, 2, tenant)
    wanted = {"attribute": "user.id=alice-4711"}
    counted = http.post("/api/v1/deletions", json=wanted | {"dry_run": True})
    assert counted.status_code == 200
    assert counted.json()["tables"] == [{"table": "otel_logs", "found": 1, "remaining": 1}]
    assert http.get("/api/v1/deletions").json() == {"deletions": []}
    answer = http.post("/api/v1/deletions", json=wanted)
    assert answer.status_code == 202
    where = answer.headers["Location"]
    assert http.get(where).json()["state"] == "queued"
    Upkeep(store, retention, every_s=3600).look()
    done = http.get(where).json()
    assert (done["state"], done["removed"], done["remaining"], done["kind"]) == ("purging", 1, 0, "attribute")
    assert done["tables_done"] == done["tables_total"] > 10
    assert {"table": "otel_logs", "found": 1, "remaining": 0} in done["tables"]
    assert "alice" not in http.get(where).text + http.get("/api/v1/deletions").text
    assert sorted(bodies(store)) == ["1", "2", "2"]
    assert http.get("/api/v1/deletions/none").status_code == 404


def test_a_running_system_deletes_by_itself(http: httpx.Client, store: Store, retention: Retention) -> None:
    log(store, 1, TraceId="a" * 32)
    where = http.post("/api/v1/deletions", json={"trace": "a" * 32}).headers["Location"]
    upkeep = Upkeep(store, retention, every_s=3600)
    upkeep.start()
    try:
        deadline = time.monotonic() + 120
        while http.get(where).json()["state"] != "purging" and time.monotonic() < deadline:
            time.sleep(0.5)
        assert bodies(store) == []
    finally:
        upkeep.stop()
        upkeep.stop()


@pytest.mark.parametrize(
    "body",
    [
        {}, {"tenant": "other"}, {"tenant": "default", "trace": "a" * 32}, {"trace": "xyz"}, {"attribute": "nothing"},
        {"trace": "a" * 32, "attribute": "a=b"}, {"unknown": "x"},
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused(http: httpx.Client, body: dict[str, str]) -> None:
    assert http.post("/api/v1/deletions", json=body).status_code == 400
    assert http.get("/api/v1/deletions").json() == {"deletions": []}
