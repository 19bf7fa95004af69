"""Functions over the floats of each window: *_over_time, changes, resets, deriv, predict_linear, smoothing.

https://prometheus.io/docs/prometheus/latest/querying/functions/
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from query.promql import rates, walk
from query.promql.values import Bools, Floats, Ints, Windows

Result = tuple[Floats, Bools]


def total(win: Windows) -> Result:
    """sum_over_time"""
    return walk.sums(win), _any(win)


def average(win: Windows) -> Result:
    """avg_over_time: the sum divided, or the mean built up step by step where the sum would overflow."""
    count = win.hi - win.lo
    with np.errstate(all="ignore"):
        sums = walk.sums(win)
        mean = sums / count
        if np.isinf(sums).any():
            mean = np.where(np.isinf(sums), _running_mean(win), mean)
    return mean, _any(win)


def _running_mean(win: Windows) -> Floats:
    mean, lost = np.zeros(win.lo.shape), np.zeros(win.lo.shape)
    for number, (_, has, value) in enumerate(walk.steps(win), start=1):
        with np.errstate(all="ignore"):
            kept = has & np.isinf(mean) & (~np.isinf(value) | ((mean > 0) == (value > 0))) & ~np.isnan(value)
            step = value / number - (mean + lost) / number
            walk.add(mean, lost, np.where(kept, 0.0, step), has & ~kept)
    with np.errstate(all="ignore"):
        return np.where(np.isinf(mean), mean, mean + lost)


def smallest(win: Windows) -> Result:
    """min_over_time"""
    return walk.reduced(np.fmin, win, np.nan), _any(win)


def largest(win: Windows) -> Result:
    """max_over_time"""
    return walk.reduced(np.fmax, win, np.nan), _any(win)


def count(win: Windows) -> Result:
    """count_over_time"""
    return (win.hi - win.lo).astype(np.float64), _any(win)


def present(win: Windows) -> Result:
    """present_over_time"""
    return np.ones(win.lo.shape), _any(win)


def last(win: Windows) -> Result:
    """last_over_time"""
    return _value_at(win, win.hi - 1), _any(win)


def first(win: Windows) -> Result:
    """first_over_time"""
    return _value_at(win, win.lo), _any(win)


def variance(win: Windows) -> Result:
    """stdvar_over_time, by Welford's method with compensated sums."""
    shape = win.lo.shape
    mean, lost_mean, squares, lost_squares = (np.zeros(shape) for _ in range(4))
    for number, (_, has, value) in enumerate(walk.steps(win), start=1):
        with np.errstate(all="ignore"):
            off = value - (mean + lost_mean)
            walk.add(mean, lost_mean, off / number, has)
            walk.add(squares, lost_squares, off * (value - (mean + lost_mean)), has)
    with np.errstate(all="ignore"):
        return (squares + lost_squares) / (win.hi - win.lo), _any(win)


def deviation(win: Windows) -> Result:
    """stddev_over_time"""
    found, has = variance(win)
    return np.sqrt(found), has


def changes(win: Windows) -> Result:
    """How often the value was another than the one before; NaN after NaN is no change."""
    values = win.samples.values
    moved = np.zeros(len(values) + 1, dtype=np.int64)
    moved[1:-1] = (values[1:] != values[:-1]) & ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
    return _counted(win, moved), _any(win)


def resets(win: Windows) -> Result:
    """How often a counter fell."""
    values = win.samples.values
    fell = np.zeros(len(values) + 1, dtype=np.int64)
    with np.errstate(invalid="ignore"):
        fell[1:-1] = values[1:] < values[:-1]
    return _counted(win, fell), _any(win)


def _counted(win: Windows, marks: Ints) -> Floats:
    """Marks after the first sample of each window."""
    before = np.concatenate([[0], np.cumsum(marks)])
    start = np.minimum(win.lo + 1, win.hi)
    return np.asarray(before[win.hi] - before[start], dtype=np.float64)


def time_of(pick: Callable[[Windows], Result] | None, *, first_one: bool) -> Callable[[Windows], Result]:
    """ts_of_*_over_time: seconds of the sample that `pick` finds, the last such; of the first or last without one."""

    def found(win: Windows) -> Result:
        times = np.append(win.samples.times, 0)
        if pick is None:
            at = win.lo if first_one else win.hi - 1
            return np.where(_any(win), times[np.where(_any(win), at, 0)] / 1000.0, 0.0), _any(win)
        wanted, has = pick(win)
        out = np.zeros(win.lo.shape)
        begun = np.zeros(win.lo.shape, dtype=np.bool_)
        for at, inside, value in walk.steps(win):
            hit = inside & ((value == wanted) | (np.isnan(wanted) & np.isnan(value) & ~begun))
            out = np.where(hit, times[at] / 1000.0, out)
            begun |= hit
        return out, has

    return found


def quantile(win: Windows, q: Floats) -> Result:
    """quantile_over_time with a quantile for each step."""
    out = np.full(win.lo.shape, np.nan)
    for length, rows, columns in by_length(win):
        if length:
            values = np.sort(gathered(win, length, rows, columns), axis=1)
            out[rows, columns] = interpolated(values, np.full(len(rows), length), q[columns])
    return out, _any(win)


def interpolated(ordered: Floats, counts: Ints, q: Floats) -> Floats:
    """The quantile of each row of sorted values, of which the first `counts` count; NaN sorts first, as in Go."""
    nans = np.isnan(ordered).sum(axis=1) - (ordered.shape[1] - counts)
    # numpy sorts NaN to the end; Prometheus' heap of floats has them at the start.
    columns = (np.arange(ordered.shape[1])[None, :] - nans[:, None]) % np.maximum(counts, 1)[:, None]
    ordered = np.take_along_axis(ordered, columns, axis=1)
    with np.errstate(all="ignore"):
        rank = np.clip(np.nan_to_num(q), 0, 1) * (counts - 1)
        lower = np.maximum(np.floor(rank), 0).astype(np.int64)
        upper = np.minimum(lower + 1, np.maximum(counts - 1, 0))
        weight = rank - np.floor(rank)
        row = np.arange(len(ordered))
        low, high = ordered[row, lower], ordered[row, upper]
        value = low * (1 - weight) + high * weight
    value = np.where(q < 0, -np.inf, np.where(q > 1, np.inf, value))
    return np.where(np.isnan(q), np.nan, value)


def median_deviation(win: Windows) -> Result:
    """mad_over_time"""
    out = np.full(win.lo.shape, np.nan)
    half = np.array([0.5])
    for length, rows, columns in by_length(win):
        if length:
            values = gathered(win, length, rows, columns)
            counts = np.full(len(rows), length)
            middle = interpolated(np.sort(values, axis=1), counts, np.repeat(half, len(rows)))
            off = np.sort(np.abs(values - middle[:, None]), axis=1)
            out[rows, columns] = interpolated(off, counts, np.repeat(half, len(rows)))
    return out, _any(win)


def regression(win: Windows, at: Ints) -> tuple[Floats, Floats]:
    """Slope per second and value at `at` (milliseconds, by step) of the least-squares line through each window."""
    shape = win.lo.shape
    n, sx, lx, sy, ly, sxy, lxy, sxx, lxx = (np.zeros(shape) for _ in range(9))
    times = np.append(win.samples.times, 0)
    start = _value_at(win, win.lo)
    constant = np.ones(shape, dtype=np.bool_)
    for place, has, value in walk.steps(win):
        x = (times[place] - at[None, :]) / 1000.0
        n += has
        with np.errstate(all="ignore"):
            constant &= ~has | (value == start)
            walk.add(sx, lx, x, has)
            walk.add(sy, ly, value, has)
            walk.add(sxy, lxy, x * value, has)
            walk.add(sxx, lxx, x * x, has)
    with np.errstate(all="ignore"):
        sx, sy, sxy, sxx = sx + lx, sy + ly, sxy + lxy, sxx + lxx
        covariance = sxy - sx * sy / n
        slope = covariance / (sxx - sx * sx / n)
        intercept = sy / n - slope * sx / n
    flat = constant & ~np.isnan(start)
    odd = flat & np.isinf(start)
    slope = np.where(odd, np.nan, np.where(flat, 0.0, slope))
    return slope, np.where(odd, np.nan, np.where(flat, start, intercept))


def derivative(win: Windows) -> Result:
    """deriv: measured from the first sample's time, which keeps the numbers small."""
    times = np.append(win.samples.times, 0)
    # One origin for all windows of a step would do; the earliest sample of the step is near all of them.
    has = win.hi - win.lo >= 2
    first_times = np.where(has, times[np.where(has, win.lo, 0)], np.iinfo(np.int64).max)
    origin = first_times.min(axis=0, initial=np.iinfo(np.int64).max)
    slope, _ = regression(win, np.where(origin == np.iinfo(np.int64).max, 0, origin))
    return slope, has


def predicted(win: Windows, ahead: Floats, at: Ints) -> Result:
    """predict_linear: the line's value `ahead` seconds after the evaluation times `at`."""
    slope, intercept = regression(win, at)
    with np.errstate(all="ignore"):
        return slope * ahead[None, :] + intercept, win.hi - win.lo >= 2


def smoothed(win: Windows, factor: Floats, trend_factor: Floats) -> Result:
    """double_exponential_smoothing (Holt-Winters)."""
    shape = win.lo.shape
    level, trend, before = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    sf, tf = factor[None, :], trend_factor[None, :]
    second = _value_at(win, np.minimum(win.lo + 1, np.maximum(win.hi - 1, 0)))
    for number, (_, has, value) in enumerate(walk.steps(win)):
        with np.errstate(all="ignore"):
            if number == 0:
                level = np.where(has, value, level)
                trend = second - value
                continue
            if number > 1:
                trend = np.where(has, tf * (level - before) + (1 - tf) * trend, trend)
            fresh = sf * value + (1 - sf) * (level + trend)
            before = np.where(has, level, before)
            level = np.where(has, fresh, level)
    return level, win.hi - win.lo >= 2


def by_length(win: Windows) -> list[tuple[int, Ints, Ints]]:
    """(length, rows, columns) of the windows of each length: few lengths, many windows."""
    counts = win.hi - win.lo
    found = []
    for length in np.unique(counts):
        rows, columns = np.nonzero(counts == length)
        found.append((int(length), rows.astype(np.int64), columns.astype(np.int64)))
    return found


def gathered(win: Windows, length: int, rows: Ints, columns: Ints) -> Floats:
    """The values of windows of one length, a row each."""
    return np.asarray(win.samples.values[win.lo[rows, columns][:, None] + np.arange(length)[None, :]])


def _any(win: Windows) -> Bools:
    return win.hi > win.lo


def _value_at(win: Windows, at: Ints) -> Floats:
    return np.append(win.samples.values, np.nan)[np.where(win.hi > win.lo, at, -1)]


SIMPLE: dict[str, Callable[[Windows], Result]] = {
    "sum_over_time": total,
    "avg_over_time": average,
    "min_over_time": smallest,
    "max_over_time": largest,
    "count_over_time": count,
    "present_over_time": present,
    "last_over_time": last,
    "first_over_time": first,
    "stddev_over_time": deviation,
    "stdvar_over_time": variance,
    "mad_over_time": median_deviation,
    "changes": changes,
    "resets": resets,
    "deriv": derivative,
    "ts_of_min_over_time": time_of(smallest, first_one=False),
    "ts_of_max_over_time": time_of(largest, first_one=False),
    "ts_of_first_over_time": time_of(None, first_one=True),
    "ts_of_last_over_time": time_of(None, first_one=False),
    "rate": lambda win: rates.extrapolated(win, counter=True, per_second=True),
    "increase": lambda win: rates.extrapolated(win, counter=True, per_second=False),
    "delta": lambda win: rates.extrapolated(win, counter=False, per_second=False),
    "irate": lambda win: rates.instant(win, rate=True),
    "idelta": lambda win: rates.instant(win, rate=False),
}
