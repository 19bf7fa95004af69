"""Faint components join the stronger one beside them; sure ones and far ones do not."""

from __future__ import annotations

from typing import Any

import polars as pl

from correlate.gather import gathered
from correlate.kinds import with_facts
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, signal, signals

SETTINGS = CorrelateSettings()
# Two callers of one silent callee; a third service elsewhere.
CALLS = (
    edge("service:silent", "service:a", "calls"),
    edge("service:silent", "service:b", "calls"),
    edge("service:other", "service:far", "calls"),
)


def parts(*rows: dict[str, Any]) -> int:
    """How many components are left of signals that begin as one each."""
    members = with_facts(signals(*rows)).with_columns(component=pl.col("id"))
    return gathered(members, edges(*CALLS), SETTINGS)["component"].n_unique()


def test_callers_of_a_silent_callee_are_one_story() -> None:
    strong = signal("trace.errors", "trace", "service:a", 0, lasts=120, score=7.0)
    faint = signal("trace.self_time", "trace", "service:b", 100, lasts=60, score=4.0)
    assert parts(strong, faint) == 1


def test_a_sure_fault_that_began_later_stays_its_own() -> None:
    strong = signal("trace.errors", "trace", "service:a", 0, lasts=300, score=9.0)
    sure = signal("trace.errors", "trace", "service:b", 200, lasts=60, score=8.5)
    assert parts(strong, sure) == 2


def test_what_is_far_away_or_over_is_not_gathered() -> None:
    strong = signal("trace.errors", "trace", "service:a", 0, lasts=60, score=7.0)
    assert parts(strong, signal("trace.self_time", "trace", "service:far", 10, lasts=60, score=4.0)) == 2
    assert parts(strong, signal("trace.self_time", "trace", "service:b", 600, lasts=60, score=4.0)) == 2
