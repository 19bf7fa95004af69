"""Operations on cells that hold native histograms; one histogram at a time, for there are few."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from query.errors import Incompatible
from query.promql.context import Notes
from query.promql.histogram import Histogram
from query.promql.number import plain
from query.promql.rates import factors
from query.promql.values import Bools, Floats, Labels, Objects, Vector, Windows, filled, no_hists

_MIXED = "encountered a mix of histograms and floats for aggregation"


def text(histogram: Histogram) -> str:
    """A histogram written out, as count_values makes it a label."""
    cells = [
        f"{'[' if low < 0 else '('}{plain(low)},{plain(high)}{']' if high > 0 else ')'}:{plain(number)}"
        for low, high, number in histogram.cells()
    ]
    return "{" + ", ".join([f"count:{plain(histogram.count)}", f"sum:{plain(histogram.sum)}", *cells]) + "}"


def aggregated(
    op: str, members: list[list[int]], labels: list[Labels], value: Vector, floats: Vector, notes: Notes
) -> Vector:
    """sum or avg of groups of which some cells are histograms; a mix of both kinds is nothing."""
    assert value.hists is not None
    kind = value.is_hist()
    out = Vector(labels, floats.values, floats.present.copy(), no_hists(floats.values.shape))
    assert out.hists is not None
    for group, rows in enumerate(members):
        for column in np.flatnonzero(kind[rows].any(axis=0)):
            if floats.present[group, column]:
                notes.warn(_MIXED)
                out.present[group, column] = False
                continue
            found = [value.hists[row, column] for row in rows if kind[row, column]]
            total = mean(found, notes) if op == "avg" else added(found, notes)
            if total is None:
                continue
            out.hists[group, column] = total
            out.present[group, column] = True
    return out


def added(found: Sequence[Histogram], notes: Notes) -> Histogram | None:
    """The sum of histograms, or None when their buckets do not go together."""
    total = found[0]
    hints = {each.hint for each in found}
    if {"reset", "not_reset"} <= hints:
        notes.warn("conflicting counter resets during histogram aggregation")
    for each in found[1:]:
        try:
            total = total.plus(each)
        except Incompatible:
            notes.warn(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
            )
            return None
        if total.custom and each.bounds != found[0].bounds:
            notes.info("mismatched custom buckets were reconciled during aggregation")
    sums = [each.sum for each in found]
    # Exactly, where large sums cancel out; too large ones are left as they are.
    if all(map(math.isfinite, sums)) and math.isfinite(total.sum):
        total = replace(total, sum=math.fsum(sums))
    return total


def mean(found: Sequence[Histogram], notes: Notes) -> Histogram | None:
    """The mean of histograms; each is divided first where their sum would be too large."""
    total = added(found, notes)
    if total is not None and (math.isinf(total.count) or math.isinf(total.sum)):
        return added([each.divided(len(found)) for each in found], notes)
    return None if total is None else total.divided(len(found))


def over_time(name: str, win: Windows, notes: Notes) -> tuple[Floats, Bools, Objects]:
    """A range function over windows that hold histograms, or a mix: values, presence and histograms.

    Only where a window holds a histogram; the rest is for the functions over floats.
    """
    hists = win.samples.hists
    assert hists is not None
    shape = win.lo.shape
    values, present, out = np.zeros(shape), np.zeros(shape, dtype=np.bool_), no_hists(shape)
    is_hist = filled(hists)
    before = np.concatenate([[0], np.cumsum(is_hist)])
    factor = _FACTORS.get(name)
    scales = factors(win, win.hi - win.lo >= 2, None, None, np.append(win.samples.times, 0)) if factor else None
    for row, column in zip(*np.nonzero(before[win.hi] > before[win.lo]), strict=True):
        lo, hi = int(win.lo[row, column]), int(win.hi[row, column])
        inside = [hists[i] if is_hist[i] else float(win.samples.values[i]) for i in range(lo, hi)]
        times = win.samples.times[lo:hi]
        found: Histogram | float | None
        if scales is not None:
            found = _extrapolated(name, inside, float(scales[row, column]), win, column, times, notes)
        else:
            found = _FUNCTIONS[name](inside, notes, times)
        if isinstance(found, Histogram):
            out[row, column] = found
        present[row, column] = found is not None
        values[row, column] = found if isinstance(found, float) else 0.0
    return values, present, out


Inside = list[Histogram | float]
Times = np.ndarray


def _extrapolated(
    name: str, inside: Inside, scale: float, win: Windows, column: int, times: Times, notes: Notes
) -> Histogram | None:
    hists = [each for each in inside if isinstance(each, Histogram)]
    if len(hists) != len(inside):
        notes.warn("encountered a mix of histograms and floats for metric name")
        return None
    if len(hists) < 2:
        return None
    change = _change(hists, notes, counter=name != "delta")
    if change is None:
        return None
    if name != "delta":
        scale = _not_below_zero(scale, hists[0], change, win, column, times)
    return change.scaled(scale / win.seconds if name == "rate" else scale, "gauge")


def _not_below_zero(
    scale: float, first: Histogram, change: Histogram, win: Windows, column: int, times: Times
) -> float:
    """The factor, when going back to the window's start would make the count negative."""
    if not (change.count > 0 and first.count >= 0):
        return scale
    sampled = float(times[-1] - times[0]) / 1000
    average = sampled / (len(times) - 1)
    to_start = float(times[0] - win.starts[column]) / 1000
    to_start = average / 2 if to_start >= average * 1.1 else to_start
    to_zero = sampled * (first.count / change.count)
    return scale - (to_start - to_zero) / sampled if to_zero < to_start else scale


def _change(hists: list[Histogram], notes: Notes, *, counter: bool) -> Histogram | None:
    gauges = [each.hint == "gauge" for each in hists]
    if counter and any(gauges):
        notes.warn("this native histogram metric is not a counter")
    if not counter and not all(gauges):
        notes.warn("this native histogram metric is not a gauge")
    try:
        change = hists[-1].plus(hists[0], -1.0)
        if counter:
            for before, now in pairwise(hists):
                if now.is_reset(before):
                    change = change.plus(before)
    except Incompatible:
        notes.warn("vector contains a mix of histograms with exponential and custom buckets schemas for metric name")
        return None
    return change


def _instant(name: str) -> Callable[[Inside, Notes, Times], Histogram | None]:
    def found(inside: Inside, notes: Notes, times: Times) -> Histogram | None:
        if len(inside) < 2:
            return None
        before, now = inside[-2], inside[-1]
        if not isinstance(before, Histogram) or not isinstance(now, Histogram):
            notes.warn("encountered a mix of histograms and floats for metric name")
            return None
        gauge = "gauge" in (before.hint, now.hint)
        if name == "irate" and gauge:
            notes.warn("this native histogram metric is not a counter")
        if name == "idelta" and (before.hint != "gauge" or now.hint != "gauge"):
            notes.warn("this native histogram metric is not a gauge")
        try:
            change = now if name == "irate" and now.is_reset(before) else now.plus(before, -1.0)
        except Incompatible:
            notes.warn(
                "vector contains a mix of histograms with exponential and custom buckets schemas for metric name"
            )
            return None
        if name == "irate":
            change = change.divided(float(times[-1] - times[-2]) / 1000)
        change.hint = "gauge"
        return change

    return found


def _total(*, average: bool) -> Callable[[Inside, Notes, Times], Histogram | None]:
    def found(inside: Inside, notes: Notes, _: Times) -> Histogram | None:
        hists = [each for each in inside if isinstance(each, Histogram)]
        if len(hists) != len(inside):
            notes.warn("encountered a mix of histograms and floats for metric name")
            return None
        return mean(hists, notes) if average else added(hists, notes)

    return found


def _changes(inside: Inside, _: Notes, __: Times) -> float:
    return float(sum(not _equal(a, b) for a, b in pairwise(inside)))


def _resets(inside: Inside, _: Notes, __: Times) -> float:
    return float(sum(_reset(a, b) for a, b in pairwise(inside)))


def _equal(one: Histogram | float, two: Histogram | float) -> bool:
    if isinstance(one, Histogram) and isinstance(two, Histogram):
        return one.same(two)
    return one == two or (one != one and two != two)


def _reset(before: Histogram | float, now: Histogram | float) -> bool:
    if isinstance(before, Histogram) and isinstance(now, Histogram):
        return now.is_reset(before)
    if isinstance(before, Histogram) or isinstance(now, Histogram):
        return True
    return now < before


_FACTORS = {"rate": True, "increase": True, "delta": True}
_FUNCTIONS: dict[str, Callable[[Inside, Notes, Times], Histogram | float | None]] = {
    "irate": _instant("irate"),
    "idelta": _instant("idelta"),
    "sum_over_time": _total(average=False),
    "avg_over_time": _total(average=True),
    "last_over_time": lambda inside, _, __: inside[-1],
    "first_over_time": lambda inside, _, __: inside[0],
    "count_over_time": lambda inside, _, __: float(len(inside)),
    "present_over_time": lambda _, __, ___: 1.0,
    "changes": _changes,
    "resets": _resets,
    "ts_of_first_over_time": lambda _, __, times: float(times[0]) / 1000,
    "ts_of_last_over_time": lambda _, __, times: float(times[-1]) / 1000,
}
WITH_HISTOGRAMS = frozenset(_FUNCTIONS) | frozenset(_FACTORS)
