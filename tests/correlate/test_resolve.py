"""Aliases resolve when they are unambiguous, within one entity type."""

from __future__ import annotations

from correlate.resolve import resolved
from tests.kit.causal import entities, signal, signals


def names(entity: str, **aliases: list[str]) -> list[str]:
    rows = signals(signal("xid.79", "gpu", entity, 0))
    return resolved(rows, entities(**aliases))["entity"].to_list()


def test_an_alias_becomes_the_name() -> None:
    assert names("gpu:n1/0000:d1:00", **{"gpu__GPU-1": ["n1/0000:d1:00"]}) == ["GPU-1"]


def test_an_alias_of_two_entities_is_left_alone() -> None:
    found = names("gpu:n1/gpu0", **{"gpu__GPU-1": ["n1/gpu0"], "gpu__GPU-2": ["n1/gpu0"]})
    assert found == ["n1/gpu0"]


def test_a_name_is_never_taken_for_an_alias_of_another() -> None:
    assert names("node:n1", node__n1=[], **{"node__n1.example": ["n1"]}) == ["n1"]


def test_an_alias_of_another_type_does_not_count() -> None:
    assert names("pod:web", service__shop=["web"]) == ["web"]


def test_an_unknown_name_stays() -> None:
    assert names("pod:web") == ["web"]
