"""Sums over windows of unequal length, one place in all windows at a time, so that nothing is lost to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from query.promql.values import Bools, Floats, Ints, Samples, Windows

# Where numbers add up to less than a thousandth of their sizes, plain sums have lost digits that a user would see.
CANCELLED = 1e3


def steps(win: Windows) -> Iterator[tuple[Ints, Bools, Floats]]:
    """(place in all samples, whether a window has one there, value) for the windows' first, second, ... sample."""
    counts = win.hi - win.lo
    values = win.samples.values
    longest = int(counts.max(initial=0))
    for k in range(longest):
        has = counts > k
        at = np.where(has, win.lo + k, 0)
        yield at, has, values[at]


def add(total: Floats, lost: Floats, value: Floats, has: Bools) -> None:
    """Neumaier's addition, in place, where `has`: https://en.wikipedia.org/wiki/Kahan_summation_algorithm"""
    with np.errstate(all="ignore"):
        fresh = total + value
        smaller = np.where(np.abs(total) >= np.abs(value), (total - fresh) + value, (value - fresh) + total)
        lost[...] = np.where(has, np.where(np.isinf(fresh), 0.0, lost + smaller), lost)
        total[...] = np.where(has, fresh, total)


def sums(win: Windows) -> Floats:
    """Sum of each window; 0 for an empty one. Exact to the last digits, also where large numbers cancel out."""
    total = reduced(np.add, win, 0.0)
    samples = win.samples
    sizes = Samples(samples.labels, samples.offsets, samples.times, np.abs(samples.values))
    size = reduced(np.add, replace(win, samples=sizes), 0.0)
    with np.errstate(all="ignore"):
        cancelled = np.isfinite(size) & (size > CANCELLED * np.abs(total))
    if cancelled.any():
        some = replace(win, lo=win.lo[cancelled][:, None], hi=win.hi[cancelled][:, None])
        total[cancelled] = _exact(some)[:, 0]
    return total


def _exact(win: Windows) -> Floats:
    total, lost = np.zeros(win.lo.shape), np.zeros(win.lo.shape)
    for _, has, value in steps(win):
        add(total, lost, value, has)
    return total + lost


def reduced(ufunc: np.ufunc, win: Windows, nothing: float) -> Floats:
    """A ufunc over each window; `nothing` for an empty one."""
    lo, hi = win.lo.ravel(), win.hi.ravel()
    out = np.full(lo.shape, nothing)
    full = np.flatnonzero(hi > lo)
    if not len(full):
        return out.reshape(win.lo.shape)
    pairs = np.stack([lo[full], hi[full]], axis=1).ravel()
    values = np.append(win.samples.values, nothing)
    with np.errstate(all="ignore"):
        out[full] = ufunc.reduceat(values, pairs)[::2]
    return out.reshape(win.lo.shape)
