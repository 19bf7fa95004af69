"""rate, increase, delta and their instant forms, extrapolated as Prometheus 3 does.

https://github.com/prometheus/prometheus/blob/main/promql/functions.go (extrapolatedRate, instantValue)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from query.promql.values import Bools, Floats, Ints, Windows

# Windows that are computed at once.
_CELLS = 16_384


def extrapolated(win: Windows, *, counter: bool, per_second: bool) -> tuple[Floats, Bools]:
    """Change over each window, extrapolated to its ends, and where there is one."""
    present = win.hi - win.lo >= 2
    dropped = drops(win) if counter else None
    out = np.empty(win.lo.shape)
    # A few series at a time, so that what is computed for them stays in the processor's cache.
    some = _CELLS // max(len(win.ends), 1) + 1
    for start in range(0, len(out), some):
        rows = slice(start, start + some)
        part = replace(win, lo=win.lo[rows], hi=win.hi[rows])
        change, factor = _extrapolated(part, present[rows], dropped, counter=counter)
        with np.errstate(all="ignore"):
            out[rows] = change * (factor / win.seconds if per_second else factor)
    return out, present


def _extrapolated(win: Windows, present: Bools, dropped: Floats | None, *, counter: bool) -> tuple[Floats, Floats]:
    """Change between the first and last sample of windows, and what it is multiplied with."""
    lo, hi = win.lo, win.hi
    first, last = np.where(present, lo, 0), np.where(present, hi - 1, 0)
    values, times = _padded(win)
    with np.errstate(all="ignore"):
        change = values[last] - values[first]
        if dropped is not None:
            change += _resets(win, present, dropped)
        factor = factors(win, present, change if counter else None, values[first] if counter else None, times)
        return change, factor


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


def drops(win: Windows) -> Floats | None:
    """At each sample, the value before it where a counter fell, else 0; None where none did.

    A series' first sample has none before it.
    """
    values, starts = win.samples.values, win.samples.offsets[:-1]
    fell = np.zeros(len(values) + 1, dtype=np.bool_)
    with np.errstate(invalid="ignore"):
        fell[1:-1] = values[1:] < values[:-1]
    fell[starts] = False
    where = np.flatnonzero(fell)
    if not len(where):
        return None
    out = np.zeros(len(fell))
    out[where] = values[where - 1]
    return out


def _resets(win: Windows, present: Bools, dropped: Floats) -> Floats:
    """Sum of what was lost to resets within each window."""
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
