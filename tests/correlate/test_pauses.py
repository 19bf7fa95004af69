"""Faults one after the other: another root after a pause is another incident, the same root is not."""

from __future__ import annotations

import json
from typing import Any

from correlate.incident import assemble
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, entities, nanos, signal, signals

CALLS = (
    edge("service:basic", "service:travel", "calls"),
    edge("service:travel", "service:front", "calls"),
    edge("service:food", "service:front", "calls"),
)


def hit(entity: str, at: float, *, score: float = 7.0) -> dict[str, Any]:
    return signal("trace.errors", "trace", f"service:{entity}", at, lasts=90, score=score)


def faint(at: float) -> dict[str, Any]:
    """What is always on somewhere, and bridges the time between faults."""
    return signal("log.next_event", "log", "service:front", at, lasts=150, score=3.1)


def roots(*rows: dict[str, Any], topology: tuple[dict[str, Any], ...] = CALLS) -> list[str]:
    found = assemble(signals(*rows), entities(), edges(*topology), nanos(7200), "default", CorrelateSettings())
    ordered = found.incidents.sort("started_at")
    return [json.loads(row["root_causes"])[0]["entity"]["name"] for row in ordered.iter_rows(named=True)]


def test_another_root_after_a_pause_is_another_incident() -> None:
    rows = [hit("basic", 0), hit("travel", 5), faint(60), hit("food", 180), faint(190)]
    assert roots(*rows) == ["basic", "food"]


def test_the_same_root_after_a_pause_is_the_same_incident() -> None:
    rows = [hit("basic", 0), hit("travel", 5), faint(60), hit("basic", 180), hit("travel", 185), faint(190)]
    assert roots(*rows) == ["basic"]


def test_what_follows_from_before_the_pause_is_no_other_fault() -> None:
    node = (edge("node:n1", "pod:shop-a"), edge("pod:shop-a", "service:shop", "shows_at"))
    lost = signal("node.not_ready", "kubernetes", "node:n1", 0, score=9.0)
    late = signal("trace.errors", "trace", "service:shop", 300, lasts=200, score=7.0)
    assert roots(lost, late, topology=node) == ["n1"]
