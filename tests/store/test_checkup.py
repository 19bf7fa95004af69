"""The check-up: each thing that is wrong is found, and what to change is said."""

from __future__ import annotations

import time
from typing import Any

import pytest

from store import Store, StoreSettings, checkup, condition, migrate, releases
from store.errors import StoreUnavailable
from store.finding import Finding, Grade


def grades(found: list[Finding], check: str) -> list[Grade]:
    """How what was found of one thing was graded."""
    return [finding.grade for finding in found if finding.check == check]


def answering(monkeypatch: pytest.MonkeyPatch, store: Store, **answers: list[dict[str, Any]]) -> None:
    """Let the named queries answer so, and others as they do."""
    asked = store.rows
    monkeypatch.setattr(store, "rows", lambda name, *rest: answers[name] if name in answers else asked(name, *rest))


def test_a_healthy_store_has_no_problem(backend_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    # The library that tests run on is older than the first fixed server.
    row = backend_store.rows("checkup_engine")[0]
    answering(monkeypatch, backend_store, checkup_engine=[{**row, "Version": "26.10.3.7", "Now": time.time()}])
    found = checkup.findings(backend_store)
    assert [finding for finding in found if finding.grade is Grade.PROBLEM and finding.check != "disk"] == []
    assert {"version", "clock", "tables", "disk", "parts"} <= {finding.check for finding in found}
    assert [finding for finding in found if finding.grade is not Grade.OK and not finding.advice] == []


def test_missing_migrations_are_a_problem(empty_store: Store) -> None:
    (finding,) = [finding for finding in checkup.findings(empty_store) if finding.check == "tables"]
    assert (finding.grade, finding.advice) == (Grade.PROBLEM, "run `causeline migrate`")
    assert migrate.migrations()[0].name in finding.said


@pytest.mark.parametrize(
    ("off", "grade"), [(0.2, Grade.OK), (-3, Grade.WARNING), (3, Grade.WARNING), (60, Grade.PROBLEM)]
)
def test_a_clock_that_is_off(store: Store, monkeypatch: pytest.MonkeyPatch, off: float, grade: Grade) -> None:
    row = store.rows("checkup_engine")[0]
    answering(monkeypatch, store, checkup_engine=[{**row, "Now": time.time() + off}])
    assert grades(checkup.findings(store), "clock") == [grade]


def test_a_table_that_is_not_durable(empty_store: Store) -> None:
    migrate.apply(empty_store)
    empty_store.command("CREATE TABLE careless (x UInt8) ENGINE = MergeTree ORDER BY x")
    (finding,) = [finding for finding in checkup.findings(empty_store) if finding.check == "durability"]
    assert "careless" in finding.said


@pytest.mark.parametrize(("free", "grade"), [(50, Grade.OK), (10, Grade.WARNING), (4, Grade.PROBLEM)])
def test_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch, free: int, grade: Grade) -> None:
    monkeypatch.setattr(condition, "room", lambda _: condition.Room(free, 100))
    assert grades(checkup.findings(store), "disk") == [grade]


def test_an_engine_that_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise StoreUnavailable("query: no answer from the engine")

    monkeypatch.setattr(store, "rows", refuse)
    assert {finding.grade for finding in checkup.findings(store) if finding.check == "engine"} == {Grade.PROBLEM}


def test_a_cluster_that_nobody_knows() -> None:
    settings = StoreSettings(url="http://127.0.0.1:1", cluster="main")
    store = Store(settings)
    store.rows = lambda *_: []  # type: ignore[method-assign]
    (finding,) = checkup._cluster(store)
    assert (finding.grade, "remote_servers" in finding.advice) == (Grade.PROBLEM, True)


@pytest.mark.parametrize(
    ("version", "grade"),
    [
        ("26.3.62.3", Grade.OK), ("26.3.62.2", Grade.PROBLEM), ("26.8.36.3", Grade.OK), ("26.9.2.1", Grade.PROBLEM),
        ("26.10.3.7", Grade.OK), ("26.11.1.1", Grade.OK), ("27.1.1.1", Grade.OK), ("26.7.2.1", Grade.PROBLEM),
        ("25.8.9.9", Grade.PROBLEM), ("26.8.36.10", Grade.OK), ("26.3.62.3.altinitystable", Grade.OK),
    ],
)  # fmt: skip
def test_versions(version: str, grade: Grade) -> None:
    finding = releases.judge(version, embedded=False)
    assert finding.grade is grade
    assert bool(finding.advice) is (grade is Grade.PROBLEM)
    assert releases.judge(version, embedded=True).grade is Grade.OK


def test_the_advice_names_a_version_of_the_same_line_when_there_is_one() -> None:
    assert releases.judge("26.8.1.1", embedded=False).advice == "upgrade to 26.8.36.3 or newer"
    assert releases.judge("26.7.1.1", embedded=False).advice == "upgrade to 26.8.36.3 or newer"
