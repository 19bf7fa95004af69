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
