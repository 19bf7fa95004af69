"""Dependencies that symptoms state."""

from __future__ import annotations

import json

from correlate.mentions import stated
from tests.kit.causal import edges, entities, signal, signals

NAMES = entities(service__inventory=[], service__cart=[], service__olapdb_tso=[])


def pairs(*rows: dict[str, object]) -> set[tuple[str, str]]:
    found = stated(signals(*rows), NAMES, edges())
    return set(found.select("src", "dst").rows())


def test_who_names_another_depends_on_it() -> None:
    said = signal("log.burst", "log", "service:cart", 0, explanation="cart logged: upstream inventory timeout")
    assert pairs(said) == {("inventory", "cart")}


def test_a_metric_named_after_an_endpoint_is_a_dependency_too() -> None:
    said = signal("metric.shift", "metric", "service:cart", 0, evidence='{"metrics":["inventory_endpoint_errors"]}')
    assert pairs(said) == {("inventory", "cart")}


def test_a_client_is_no_dependency() -> None:
    said = signal("log.burst", "log", "service:inventory", 0, explanation="rejected request from cart, which is busy")
    assert pairs(said) == set()


def test_who_is_blamed_is_needed_by_those_who_blame_it() -> None:
    evidence = json.dumps({"callers": ["cart", "inventory"]})
    said = signal("dependency.failing", "log", "dependency:api.example.com", 0, evidence=evidence)
    assert pairs(said) == {("api.example.com", "cart"), ("api.example.com", "inventory")}
