"""The confidence that is shown: how often a first cause with such a score was the right one.

Ranking weighs candidates against one another and against "unknown"; that share is an order, not a frequency.
Platt's sigmoid, fitted on labelled incidents (correlate/catalog/confidence.csv says on which), turns the first
candidate's share into a frequency: 1 / (1 + exp(-(slope * logit(share) + intercept))). The others keep their
proportions as far as that leaves room, so no order changes and all together stay at most 1.
Source: Platt 1999, Probabilistic Outputs for Support Vector Machines; Lin, Lin and Weng 2007,
https://www.csie.ntu.edu.tw/~cjlin/papers/plattprob.pdf (the targets and Newton steps used here).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from correlate import catalog
from correlate.errors import CatalogError

# A share of exactly 0 or 1 has no logit.
_EDGE = 1e-4
# Rising, however little: a higher share must never be shown as a lower confidence.
_LEAST_SLOPE = 0.05
_STEPS, _CONVERGED, _RIDGE = 100, 1e-10, 1e-9


@dataclass(frozen=True, slots=True)
class Sigmoid:
    """From a candidate's share to a frequency; slope 1 and intercept 0 change nothing."""

    slope: float = 1.0
    intercept: float = 0.0

    def of(self, share: float) -> float:
        """The frequency (0..1) at one share."""
        return _unit(self.slope * _logit(share) + self.intercept)

    def expr(self, share: pl.Expr) -> pl.Expr:
        """The same for a column."""
        inside = share.clip(_EDGE, 1.0 - _EDGE)
        return 1.0 / (1.0 + (-(self.slope * (inside / (1.0 - inside)).log() + self.intercept)).exp())


def fitted() -> Sigmoid:
    """The sigmoid of the catalogue. Raises CatalogError when it does not rise."""
    row = catalog.table("confidence")
    found = Sigmoid(float(row["slope"][0]), float(row["intercept"][0]))
    if not found.slope > 0:
        raise CatalogError("catalogue confidence: the slope must be above 0")
    return found


def with_shown(candidates: pl.DataFrame, sigmoid: Sigmoid | None = None) -> pl.DataFrame:
    """`candidates` (component, rank, confidence) with `shown`: the confidence people see, 0..1."""
    share, first = pl.col("confidence"), pl.col("rank") == 1
    best = share.filter(first).max().over("component")
    right = (sigmoid or fitted()).expr(best)
    # What the first one gains the others and "unknown" lose alike; where it loses, the others lose as it does.
    part = pl.min_horizontal(right / best, (1.0 - right) / (1.0 - best).clip(_EDGE))
    return candidates.with_columns(shown=pl.when(first).then(right).otherwise(share * part).round(9))


def fit(shares: Sequence[float], right: Sequence[bool]) -> Sigmoid:
    """The sigmoid of greatest likelihood; without both right and wrong answers, one that changes nothing."""
    yes, no = sum(right), len(right) - sum(right)
    if not yes or not no:
        return Sigmoid()
    # Targets short of 0 and 1 keep few answers that happen to be separable from giving certainty.
    high, low = (yes + 1) / (yes + 2), 1 / (no + 2)
    points = [(_logit(share), high if good else low) for share, good in zip(shares, right, strict=True)]
    found = _newton(points, Sigmoid(1.0, 0.0))
    if found.slope >= _LEAST_SLOPE:
        return found
    return Sigmoid(_LEAST_SLOPE, _newton(points, Sigmoid(_LEAST_SLOPE, 0.0), keep_slope=True).intercept)


def _newton(points: Sequence[tuple[float, float]], start: Sigmoid, *, keep_slope: bool = False) -> Sigmoid:
    slope, intercept = start.slope, start.intercept
    loss = _loss(points, slope, intercept)
    for _ in range(_STEPS):
        told = [(x, target - _unit(slope * x + intercept), _unit(slope * x + intercept)) for x, target in points]
        up_slope, up_intercept = sum(x * gap for x, gap, _ in told), sum(gap for _, gap, _ in told)
        curve = [(x, p * (1 - p)) for x, _, p in told]
        a = sum(x * x * w for x, w in curve) + _RIDGE
        b, c = sum(x * w for x, w in curve), sum(w for _, w in curve) + _RIDGE
        if keep_slope:
            move = (0.0, up_intercept / c)
        else:
            whole = a * c - b * b
            move = ((c * up_slope - b * up_intercept) / whole, (a * up_intercept - b * up_slope) / whole)
        # A whole step may overshoot; half of it, as often as needed, does not.
        size = 1.0
        while size > _CONVERGED and _loss(points, slope + size * move[0], intercept + size * move[1]) > loss:
            size /= 2
        slope, intercept = slope + size * move[0], intercept + size * move[1]
        before, loss = loss, _loss(points, slope, intercept)
        if before - loss < _CONVERGED:
            break
    return Sigmoid(slope, intercept)


def _loss(points: Sequence[tuple[float, float]], slope: float, intercept: float) -> float:
    total = 0.0
    for x, target in points:
        z = slope * x + intercept
        total += max(z, 0.0) + math.log1p(math.exp(-abs(z))) - target * z
    return total


def _unit(z: float) -> float:
    return 1.0 / (1.0 + math.exp(-z)) if z >= 0 else math.exp(z) / (1.0 + math.exp(z))


def _logit(share: float) -> float:
    inside = min(max(share, _EDGE), 1.0 - _EDGE)
    return math.log(inside / (1.0 - inside))
