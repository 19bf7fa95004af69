"""Waiting for a job: as long as it moves."""

from __future__ import annotations

from typing import Any

import pytest

from api.client import ApiClient
from api.errors import SystemUnreachable


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, _seconds: float) -> None:
        self.now += 60


def waiting(monkeypatch: pytest.MonkeyPatch, states: list[dict[str, Any]]) -> ApiClient:
    """A client of a job that is in these states, one a minute, and stays in the last."""
    monkeypatch.setattr("api.client.time", Clock())
    client = ApiClient("http://127.0.0.1:9")
    left = list(states)
    monkeypatch.setattr(client, "_call", lambda *_, **__: left.pop(0) if len(left) > 1 else left[0])
    return client


def job(done: int, state: str = "running") -> dict[str, Any]:
    return {"id": "w", "state": state, "steps_done": done, "error": "no engine"}


def test_a_job_that_moves_is_waited_for_however_long_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    client = waiting(monkeypatch, [*(job(n // 3) for n in range(300)), job(100, "done")])
    found = client.correlate("a", "b", lambda now: seen.append(now["steps_done"]), timeout_s=300)
    assert found["state"] == "done"
    assert seen == [*range(100), 100]


def test_a_job_that_stands_still_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    client = waiting(monkeypatch, [job(1), job(2)])
    with pytest.raises(SystemUnreachable, match="stood still for 300 s"):
        client.correlate("a", "b", lambda _: None, timeout_s=300)


def test_a_job_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    client = waiting(monkeypatch, [job(1), job(1, "failed")])
    with pytest.raises(SystemUnreachable, match="no engine"):
        client.correlate("a", "b", lambda _: None)
