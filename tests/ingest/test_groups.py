"""When a group of requests is closed."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Waiting

import pytest

from ingest.budget import Budget
from ingest.envelope import Landing, Signal
from ingest.groups import Groups, Request
from ingest.settings import MIB

LANDING = Landing(Signal.TRACES, nested=False)


def request(groups: Groups, size: int) -> Request:
    made = Request(b"k" * 16, "default", LANDING, bytes(size), time.time_ns(), Budget(1024 * MIB).hold())
    groups.put(made)
    return made


def test_the_moment_for_answered_clients_ends_when_they_have_sent_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # A clock that stands still: the moment is never over by itself.
    monkeypatch.setattr("ingest.groups.time.monotonic", lambda: 100.0)
    groups = Groups(16 * MIB, patience_s=10.0)
    for _ in range(2):
        request(groups, 1000)
    assert len(groups.take() or []) == 2
    groups.written(LANDING, 2000, 0.1)
    first = request(groups, 1000)
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(groups.take)
        with pytest.raises(Waiting):
            taken.result(timeout=0.2)
        second = request(groups, 1000)
        assert taken.result(timeout=30) == [first, second]


def test_a_request_that_comes_long_after_others_goes_at_once() -> None:
    groups = Groups(16 * MIB, patience_s=10.0)
    request(groups, 5000)
    groups.take()
    groups.written(LANDING, 5000, 0.01)
    time.sleep(0.01)
    alone = request(groups, 10)
    assert groups.take() == [alone]


def test_what_waits_is_given_out_after_the_end() -> None:
    groups = Groups(16 * MIB, patience_s=10.0)
    request(groups, 5000)
    groups.take()
    groups.written(LANDING, 5000, 100.0)
    left = request(groups, 10)
    groups.close()
    assert groups.take() == [left]
    assert groups.take() is None
