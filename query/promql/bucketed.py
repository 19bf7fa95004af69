"""histogram_* functions over classic buckets (series with `le`) and native histograms."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from query.promql import quantiles as shapes
from query.promql.context import Notes
from query.promql.histogram import Histogram
from query.promql.number import formatted
from query.promql.values import Floats, Key, Labels, Vector, empty, key, no_hists, relabelled, without_name

LE = "le"
Classic = Callable[[int, Floats, Floats], float]
Native = Callable[[int, Histogram], float]


def quantile(q: Floats, vector: Vector, notes: Notes) -> Vector:
    """histogram_quantile"""
    return relabelled(_quantile(q, vector, notes), without_name)


def quantiles(vector: Vector, label: str, wanted: list[Floats], notes: Notes) -> Vector:
    """histogram_quantiles: several at once, told apart by a label."""
    parts = [_labelled(_quantile(q, vector, notes), label, _open_metrics(float(q[0]))) for q in wanted]
    labels = [each for part in parts for each in part.labels]
    if not labels:
        return empty(vector.values.shape[1])
    return Vector(
        labels, np.concatenate([part.values for part in parts]), np.concatenate([part.present for part in parts])
    )


def _open_metrics(value: float) -> str:
    """A number as OpenMetrics writes it, which is never a whole one."""
    text = formatted(value)
    return f"{text}.0" if text.lstrip("-").isdigit() else text


def _labelled(vector: Vector, label: str, value: str) -> Vector:
    return relabelled(vector, lambda labels: without_name(labels) | {label: value})


def _quantile(q: Floats, vector: Vector, notes: Notes) -> Vector:
    _check(q, vector, notes)
    return _each(vector, notes, _classic_quantile(q, notes), lambda at, h: _native_quantile(float(q[at]), h, notes))


def _native_quantile(q: float, found: Histogram, notes: Notes) -> float:
    value = shapes.native(q, found)
    if math.isnan(found.sum):
        what = "NaN" if math.isnan(value) else "skewed higher"
        notes.info(f"input to histogram_quantile has NaN observations, result is {what}")
    return value


def fraction(lower: Floats, upper: Floats, vector: Vector, notes: Notes) -> Vector:
    """histogram_fraction"""
    if vector.hists is not None and any(math.isnan(each.sum) for each in vector.hists[vector.is_hist()]):
        notes.info("input to histogram_fraction has NaN observations, which are excluded from all fractions")
    out = _each(
        vector, notes,
        lambda at, bounds, counts: shapes.classic_fraction(float(lower[at]), float(upper[at]), bounds, counts),
        lambda at, found: shapes.fraction(float(lower[at]), float(upper[at]), found),
    )  # fmt: skip
    return relabelled(out, without_name)


def _check(q: Floats, vector: Vector, notes: Notes) -> None:
    for each in np.unique(q):
        if not 0 <= each <= 1:
            notes.warn(f"quantile value should be between 0 and 1, got {formatted(each)}")


def _classic_quantile(q: Floats, notes: Notes) -> Classic:
    def found(column: int, bounds: Floats, counts: Floats) -> float:
        value, forced = shapes.classic(float(q[column]), bounds, counts)
        if forced:
            notes.info(
                "input to histogram_quantile needed to be fixed for monotonicity (see https://prometheus.io/docs/"
                "prometheus/latest/querying/functions/#histogram_quantile) for metric name"
            )
        return value

    return found


def _each(vector: Vector, notes: Notes, classic: Classic, native: Native) -> Vector:
    """A number from each histogram at each step; both kinds under one name at a step are neither."""
    steps = vector.values.shape[1]
    groups = _groups(vector, notes)
    floats = vector.floats()
    hist: np.ndarray = vector.is_hist()
    rows = [row for row in range(len(vector.labels)) if hist[row].any()]
    labels: list[Labels] = []
    values: list[Floats] = []
    present: list[np.ndarray] = []
    natives = {key(vector.labels[row]): row for row in rows}
    for labels_key, (found, bounds, members) in groups.items():
        value, has = np.zeros(steps), np.asarray(floats[members].any(axis=0))
        other = natives.get(labels_key)
        if other is not None and (has & hist[other]).any():
            notes.warn("vector contains a mix of classic and native histograms for metric name")
            both = has & hist[other]
            has = has & ~both
            hist = hist.copy()
            hist[other] &= ~both
        held = np.where(floats[members], vector.values[members], np.nan)
        for column in np.flatnonzero(has):
            inside = floats[members][:, column]
            value[column] = classic(int(column), *_merged(bounds[inside], held[inside, column]))
        labels.append(found)
        values.append(value)
        present.append(has)
    for row in rows:
        value = np.zeros(steps)
        assert vector.hists is not None
        for column in np.flatnonzero(hist[row]):
            value[column] = native(int(column), vector.hists[row, column])
        labels.append(vector.labels[row])
        values.append(value)
        present.append(hist[row])
    if not labels:
        return empty(steps)
    out = Vector(labels, np.array(values), np.array(present))
    return out.nonempty()


def _groups(vector: Vector, notes: Notes) -> dict[Key, tuple[Labels, Floats, np.ndarray]]:
    """Series of buckets by their labels but `le`, with ascending bounds."""
    found: dict[Key, tuple[Labels, list[tuple[float, int]]]] = {}
    floats = np.logical_or.reduce(vector.floats(), axis=1)
    for row, labels in enumerate(vector.labels):
        if not floats[row]:
            continue
        bound = _bound(labels.get(LE))
        if bound is None:
            notes.warn(
                f'bucket label "{LE}" is missing or has a malformed value of "{labels.get(LE, "")}" for metric name'
            )
            continue
        rest = {name: value for name, value in labels.items() if name != LE}
        found.setdefault(key(rest), (rest, []))[1].append((bound, row))
    out = {}
    for labels_key, (rest, buckets) in found.items():
        buckets.sort()
        out[labels_key] = (rest, np.array([b for b, _ in buckets]), np.array([row for _, row in buckets]))
    return out


def _merged(bounds: Floats, counts: Floats) -> tuple[Floats, Floats]:
    """Buckets of the same bound (`1` and `1.0`) added up."""
    if len(bounds) < 2 or (bounds[1:] > bounds[:-1]).all():
        return bounds, counts
    unique, place = np.unique(bounds, return_inverse=True)
    return unique, np.bincount(place, weights=counts).astype(np.float64)


def _bound(text: str | None) -> float | None:
    if text is None or "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _mean(histogram: Histogram) -> float:
    return histogram.sum / histogram.count if histogram.count else math.nan


DESCRIBED: dict[str, Callable[[Histogram], float]] = {
    "histogram_count": lambda histogram: histogram.count,
    "histogram_sum": lambda histogram: histogram.sum,
    "histogram_avg": _mean,
    "histogram_stddev": lambda histogram: math.sqrt(shapes.variance(histogram)),
    "histogram_stdvar": shapes.variance,
}


def described(name: str, vector: Vector) -> Vector:
    """histogram_count and its like: a number of each native histogram; floats are left out."""
    where = vector.is_hist()
    values = np.zeros(vector.values.shape)
    hists = vector.hists if vector.hists is not None else no_hists(vector.values.shape)
    for cell in zip(*np.nonzero(where), strict=True):
        values[cell] = DESCRIBED[name](hists[cell])
    out = Vector(vector.labels, values, where)
    return relabelled(out.nonempty(), without_name)
