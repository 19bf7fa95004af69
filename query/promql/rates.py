"""rate, increase, delta and their instant forms, extrapolated as Prometheus 3 does.

https://github.com/prometheus/prometheus/blob/main/promql/functions.go (extrapolatedRate, instantValue)
"""

from __future__ import annotations

import numpy as np

from query.promql.values import Bools, Floats, Ints, Windows


def extrapolated(win: Windows, *, counter: bool, per_second: bool) -> tuple[Floats, Bools]:
    """Change over each window, extrapolated to its ends, and where there is one."""
    lo, hi = win.lo, win.hi
    present = hi - lo >= 2
    first, last = np.where(present, lo, 0), np.where(present, hi - 1, 0)
    values, times = _padded(win)
    change = values[last] - values[first]
    if counter:
        change += _resets(win, present)
    factor = factors(win, present, change if counter else None, values[first] if counter else None, times)
    if per_second:
        factor = factor / win.seconds
    with np.errstate(all="ignore"):
        return change * factor, present


def factors(win: Windows, present: Bools, change: Floats | None, first_value: Floats | None, times: Ints) -> Floats:
    """What the change between the first and last sample is multiplied with; counters do not go below zero."""
    first = times[np.where(present, win.lo, 0)]
    last = times[np.where(present, win.hi - 1, 0)]
    with np.errstate(all="ignore"):
        to_start = (first - win.starts[None, :]) / 1000.0
        to_end = (win.ends[None, :] - last) / 1000.0
        sampled = (last - first) / 1000.0
        average = sampled / (win.hi - win.lo - 1)
        limit = average * 1.1
        to_start = np.where(to_start >= limit, average / 2, to_start)
        if change is not None and first_value is not None:
            to_zero = np.where((change > 0) & (first_value >= 0), sampled * (first_value / change), to_start)
            to_start = np.minimum(to_start, to_zero)
        to_end = np.where(to_end >= limit, average / 2, to_end)
        return np.asarray((sampled + to_start + to_end) / sampled)


def instant(win: Windows, *, rate: bool) -> tuple[Floats, Bools]:
    """From the last two samples of each window: per second and aware of resets, or the difference."""
    present = win.hi - win.lo >= 2
    values, times = _padded(win)
    last = np.where(present, win.hi - 1, 0)
    before = np.where(present, win.hi - 2, 0)
    now, then = values[last], values[before]
    if not rate:
        return now - then, present
    with np.errstate(all="ignore"):
        change = np.where(now < then, now, now - then)
        seconds = (times[last] - times[before]) / 1000.0
        return change / seconds, present & (seconds > 0)


def drops(win: Windows) -> Floats:
    """At each sample, the value before it where a counter fell, else 0. A series' first sample has none before it."""
    values = win.samples.values
    out = np.zeros(len(values) + 1)
    with np.errstate(invalid="ignore"):
        fell = values[1:] < values[:-1]
    out[1:-1][fell] = values[:-1][fell]
    starts = win.samples.offsets[:-1]
    out[starts[starts < len(values)]] = 0.0
    return out


def _resets(win: Windows, present: Bools) -> Floats:
    """Sum of what was lost to resets within each window."""
    dropped = drops(win)
    if not dropped.any():
        return np.zeros(win.lo.shape)
    numbers = np.concatenate([[0], np.cumsum(dropped != 0)])
    inside = np.where(present, numbers[win.hi] - numbers[np.minimum(win.lo + 1, len(numbers) - 1)], 0)
    out = np.zeros(win.lo.shape)
    rows = np.nonzero(inside > 0)
    if len(rows[0]):
        pairs = np.stack([win.lo[rows] + 1, win.hi[rows]], axis=1).ravel()
        out[rows] = np.add.reduceat(dropped, pairs)[::2]
    return out


def _padded(win: Windows) -> tuple[Floats, Ints]:
    """Values and times, at least one, so that the index 0 of an empty window leads somewhere."""
    values, times = win.samples.values, win.samples.times
    if len(values):
        return values, times
    return np.zeros(1), np.zeros(1, dtype=np.int64)
