"""Independent faults in one component come apart; one fault's cascade stays whole."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from correlate.incident import assemble
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, entities, nanos, signal, signals

# A gateway that calls an answering service, which calls a model server and a search service over a vector store.
TOPOLOGY = (
    edge("pod:llm-0", "service:llm", "serves"),
    edge("pod:llm-1", "service:llm", "serves"),
    edge("service:llm", "service:answers", "calls"),
    edge("service:store", "service:search", "calls"),
    edge("service:search", "service:answers", "calls"),
    edge("service:answers", "service:gateway", "calls"),
)
MODEL_DOWN = (
    signal("pod.image_pull", "kubernetes", "pod:llm-0", 0, lasts=300, score=8.5),
    signal("trace.errors", "trace", "service:llm", 30, lasts=600, score=6.0),
    signal("trace.errors", "trace", "service:answers", 40, lasts=600, score=6.0),
    signal("trace.errors", "trace", "service:gateway", 45, lasts=600, score=5.0),
)
STORE_SLOW = (
    signal("trace.self_time", "trace", "service:store", 100, lasts=600, score=6.5),
    signal("metric.shift", "metric", "service:store", 110, lasts=600, score=5.5),
    signal("trace.edge_gap", "trace", "service:search", 110, lasts=600, score=6.0),
)


def roots(*rows: dict[str, Any]) -> list[str]:
    found = assemble(signals(*rows), entities(), edges(*TOPOLOGY), nanos(7200), "default", CorrelateSettings())
    causes = found.incidents["root_causes"].to_list()
    return sorted(json.loads(text)[0]["entity"]["name"] for text in causes)


def test_two_faults_under_one_caller_are_two_incidents() -> None:
    assert roots(*MODEL_DOWN, *STORE_SLOW) == ["llm-0", "store"]


def test_a_cascade_is_one_incident() -> None:
    assert roots(*MODEL_DOWN) == ["llm-0"]


def test_what_is_left_over_but_weak_stays() -> None:
    faint = signal("trace.self_time", "trace", "service:store", 100, lasts=600, score=3.5)
    assert roots(*MODEL_DOWN, faint) == ["llm-0"]


def test_a_cause_further_up_is_no_second_fault() -> None:
    node = edge("node:n1", "pod:llm-0")
    rows = (signal("node.condition", "kubernetes", "node:n1", -20, lasts=300, score=6.0), *MODEL_DOWN)
    found = assemble(signals(*rows), entities(), edges(node, *TOPOLOGY), nanos(7200), "default", CorrelateSettings())
    assert found.incidents.height == 1


def test_every_signal_is_kept_once() -> None:
    rows = signals(*MODEL_DOWN, *STORE_SLOW)
    found = assemble(rows, entities(), edges(*TOPOLOGY), nanos(7200), "default", CorrelateSettings())
    assert sorted(found.members["id"].to_list()) == sorted(rows["id"].to_list())
    assert found.members.select(pl.col("incident_id").n_unique()).item() == 2


def test_a_fault_that_came_when_the_first_was_over_needs_no_more_than_any_other() -> None:
    """Something faint of a service that both break goes on from the first fault to the second."""
    first = signal("trace.errors", "trace", "service:llm", 0, lasts=120, score=6.0)
    bridge = signal("log.next_event", "log", "service:answers", 10, lasts=290, score=4.0)
    second = signal("trace.self_time", "trace", "service:store", 130, lasts=170, score=4.8)
    assert roots(first, bridge, second) == ["llm", "store"]
    # While the first goes on it takes more to be a fault of one's own.
    beside = signal("trace.self_time", "trace", "service:store", 20, lasts=170, score=4.8)
    assert len(roots(first, bridge, beside)) == 1
