"""Shown confidence: a frequency for the first cause, and never another order."""

from __future__ import annotations

import math
import random

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlate.confidence import Sigmoid, fit, fitted, with_shown


def candidates(*logits: float) -> pl.DataFrame:
    """One component's candidates as the ranking weighs them, best first, with "unknown" of weight 1."""
    weights = sorted((math.exp(logit) for logit in logits), reverse=True)
    total = sum(weights) + 1.0
    return pl.DataFrame(
        {
            "component": ["c"] * len(weights),
            "rank": range(1, len(weights) + 1),
            "confidence": [weight / total for weight in weights],
        }
    )


SIGMOIDS = st.builds(Sigmoid, st.floats(0.05, 4), st.floats(-4, 4))
LOGITS = st.lists(st.floats(-6, 6), min_size=1, max_size=10)


@given(LOGITS, SIGMOIDS)
def test_order_stays_and_all_together_are_at_most_one(logits: list[float], sigmoid: Sigmoid) -> None:
    found = with_shown(candidates(*logits), sigmoid).sort("rank")
    shown = found["shown"].to_list()
    assert shown == sorted(shown, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in shown)
    assert sum(shown) <= 1 + 1e-6
    assert shown[0] == pytest.approx(sigmoid.of(found["confidence"][0]), abs=1e-8)


@given(LOGITS)
def test_a_sigmoid_of_one_and_nothing_changes_nothing(logits: list[float]) -> None:
    found = with_shown(candidates(*logits), Sigmoid())
    assert found["shown"].to_list() == pytest.approx(found["confidence"].to_list(), abs=2e-4)


@given(st.floats(0.001, 0.998), st.floats(0.0001, 0.001), SIGMOIDS)
def test_a_higher_share_is_never_shown_lower(share: float, more: float, sigmoid: Sigmoid) -> None:
    assert sigmoid.of(share + more) >= sigmoid.of(share)


def test_components_do_not_touch_each_other() -> None:
    one, two = candidates(2.0, 1.0), candidates(0.0, -1.0, -2.0).with_columns(component=pl.lit("d"))
    apart = pl.concat([with_shown(one, Sigmoid(2.0, -1.0)), with_shown(two, Sigmoid(2.0, -1.0))])
    assert with_shown(pl.concat([one, two]), Sigmoid(2.0, -1.0)).equals(apart)


def test_a_fit_finds_the_sigmoid_that_the_answers_came_from() -> None:
    chance, true = random.Random(5), Sigmoid(0.6, -0.4)
    shares = [chance.uniform(0.05, 0.99) for _ in range(4000)]
    found = fit(shares, [chance.random() < true.of(share) for share in shares])
    assert found.slope == pytest.approx(true.slope, abs=0.08)
    assert found.intercept == pytest.approx(true.intercept, abs=0.1)


def test_a_fit_to_answers_that_can_be_told_apart_stays_finite() -> None:
    found = fit([0.2, 0.3, 0.8, 0.9], [False, False, True, True])
    assert 0 < found.slope < 50
    assert found.of(0.2) < 0.5 < found.of(0.9) < 1


def test_a_fit_never_falls() -> None:
    upside_down = fit([0.1] * 10 + [0.9] * 10, [True] * 9 + [False] + [False] * 9 + [True])
    assert upside_down.slope == 0.05
    assert upside_down.of(0.5) == pytest.approx(0.5, abs=0.02)


def test_a_fit_to_nothing_changes_nothing() -> None:
    assert fit([], []) == fit([0.9], [True]) == Sigmoid()


def test_the_catalogue_has_one_that_rises() -> None:
    assert fitted().slope > 0
