"""Bytes in flight never exceed the budget, and come back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.budget import Budget
from ingest.errors import Overloaded


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60))))
def test_what_is_held_is_what_is_used(changes: list[tuple[int, int]]) -> None:
    budget = Budget(100)
    holds = [budget.hold() for _ in range(5)]
    sizes = [0] * 5
    for which, size in changes:
        if sum(sizes) - sizes[which] + size > 100 and size > sizes[which]:
            with pytest.raises(Overloaded):
                holds[which].resize(size)
        else:
            holds[which].resize(size)
            sizes[which] = size
        assert budget.used == sum(sizes) <= 100
    for hold in holds:
        hold.release()
        hold.release()
    assert budget.used == 0


def test_a_tenant_leaves_room_for_another() -> None:
    budget = Budget(100, share=0.75)
    greedy, modest = budget.hold("greedy"), budget.hold("modest")
    greedy.resize(75)
    with pytest.raises(Overloaded):
        budget.hold("greedy").resize(1)
    modest.resize(25)
    assert (budget.used_by("greedy"), budget.used_by("modest"), budget.used) == (75, 25, 100)
    greedy.release()
    assert budget.used_by("greedy") == 0
    modest.resize(75)
    modest.release()
    assert budget.used == 0


def test_whoever_may_not_come_in_holds_nothing() -> None:
    asked = []

    def admit(tenant: str) -> None:
        asked.append(tenant)
        if tenant == "banned":
            raise Overloaded("not now")

    budget = Budget(100, admit=admit)
    with pytest.raises(Overloaded):
        budget.hold("banned").resize(1)
    hold = budget.hold("welcome")
    hold.resize(1)
    hold.resize(2)
    hold.release()
    assert asked == ["banned", "welcome"]
    assert budget.used == 0
