"""A queue that takes too long turns newcomers away, and a bad moment is forgotten."""

from __future__ import annotations

import time

import pytest

from ingest.budget import Budget
from ingest.envelope import LANDINGS
from ingest.errors import Overloaded
from ingest.groups import Groups, Request
from ingest.pace import Pace
from ingest.settings import MIB


def request(groups: Groups, size: int) -> Request:
    budget = Budget(1024 * MIB)
    made = Request(b"k" * 16, "default", LANDINGS[0], bytes(size), time.time_ns(), budget.hold())
    groups.put(made)
    return made


def test_nothing_is_late_before_a_batch_was_large_enough_to_tell() -> None:
    pace = Pace(16 * MIB)
    pace.wrote(1000, 2.0)
    assert not pace.late(1024 * MIB, 1.0)
    assert pace.batch_bytes() == 16 * MIB


def test_batches_take_a_second_and_the_queue_its_patience() -> None:
    pace = Pace(16 * MIB)
    pace.wrote(10 * MIB, 5.0)
    assert pace.batch_bytes() == 2 * MIB
    assert pace.late(3 * MIB, 1.0)
    assert not pace.late(1 * MIB, 1.0)


def test_a_bad_moment_is_forgotten() -> None:
    pace = Pace(16 * MIB)
    pace.wrote(MIB, 600.0)
    assert pace.late(MIB, 1.0)
    assert not pace.late(0, 1.0)
    for _ in range(3):
        pace.wrote(100_000, 0.01)
    assert not pace.late(MIB, 1.0)


def test_a_newcomer_is_turned_away_and_the_queue_is_written() -> None:
    groups = Groups(16 * MIB, patience_s=1.0)
    request(groups, 2 * MIB)
    first = groups.take()
    assert first is not None
    groups.written(LANDINGS[0], 2 * MIB, 2.0)
    waiting = [request(groups, MIB), request(groups, MIB)]
    with pytest.raises(Overloaded):
        request(groups, 1)
    # Each batch is as large as is written in a second.
    for expected in waiting:
        assert groups.take() == [expected]
        groups.written(LANDINGS[0], MIB, 0.5)
    request(groups, 1)
