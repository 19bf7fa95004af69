"""The blast radius: who is hurt, and who only shows it or was on the way."""

from __future__ import annotations

import json
from typing import Any

from correlate.incident import assemble
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, entities, nanos, signal, signals


def hurt(*rows: dict[str, Any], topology: tuple[dict[str, Any], ...]) -> set[str]:
    found = assemble(signals(*rows), entities(), edges(*topology), nanos(7200), "default", CorrelateSettings())
    assert found.incidents.height == 1
    return {entity["name"] for entity in json.loads(found.incidents.row(0, named=True)["blast_radius"])}


def test_agents_of_a_node_come_and_go_with_it() -> None:
    agents = [edge(f"node:n{n}", f"pod:agent-{n}") for n in range(3)]
    owned = [edge(f"pod:agent-{n}", "workload:agent", "part_of") for n in range(3)]
    shop = (edge("node:n0", "pod:shop-0"), edge("pod:shop-0", "workload:shop", "part_of"))
    rows = [
        signal("node.not_ready", "kubernetes", "node:n0", 0, score=9.0),
        signal("pod.restart", "kubernetes", "pod:agent-0", 60, score=7.0),
        signal("pod.restart", "kubernetes", "pod:shop-0", 60, score=7.0),
    ]
    assert hurt(*rows, topology=(*agents, *owned, *shop)) == {"shop-0", "shop"}


def test_pods_beside_one_that_starves_their_node_are_hurt_as_such() -> None:
    topology = (
        edge("node:n1", "pod:hog-0"),
        edge("node:n1", "pod:shop-0"),
        edge("pod:shop-0", "workload:shop", "part_of"),
        edge("node:n2", "pod:far-0"),
    )
    rows = [
        signal("pod.cpu_hog", "metric", "pod:hog-0", 0, lasts=300, score=8.5),
        signal("metric.shift", "metric", "pod:shop-0", 30, lasts=300, score=5.0),
    ]
    assert hurt(*rows, topology=topology) == {"shop-0", "shop"}


def test_a_drifting_feature_hurts_the_model_it_feeds_and_the_service_that_answers_with_it() -> None:
    topology = (edge("feature:age", "model:scorer", "feeds"), edge("service:scoring", "model:scorer", "serves"))
    rows = [
        signal("quality.drift", "quality", "feature:age", 0, lasts=900, score=8.0),
        signal("quality.drop", "quality", "model:scorer", 300, lasts=600),
    ]
    assert hurt(*rows, topology=topology) == {"scorer", "scoring"}


def test_who_blames_another_is_hurt_by_it() -> None:
    evidence = json.dumps({"callers": ["checkout"], "samples": ["POST https://api.pay.example.com returned 503"]})
    blamed = signal(
        "dependency.failing", "log", "dependency:api.pay.example.com", 0, lasts=300, score=6.0, evidence=evidence
    )
    assert hurt(blamed, topology=(edge("dependency:api.pay.example.com", "service:checkout", "calls"),)) == {"checkout"}


def test_stand_ins_that_find_no_place_are_not_hurt() -> None:
    topology = (
        edge("node:n1", "pod:shop-0"),
        edge("pod:shop-0", "workload:shop", "part_of"),
        edge("pod:shop-1", "workload:shop", "part_of"),
        edge("workload:shop", "pod:shop-1", "owns"),
    )
    rows = [
        signal("node.not_ready", "kubernetes", "node:n1", 0, score=9.0),
        signal("pod.evicted", "kubernetes", "pod:shop-0", 60, score=7.0),
        signal("pod.unschedulable", "kubernetes", "pod:shop-1", 90, score=5.0),
    ]
    assert hurt(*rows, topology=topology) == {"shop-0", "shop"}
