"""What PromQL expressions have as values: series by steps, and samples in windows.

Arrays are series by steps: S rows for series, T columns for evaluation times. Times are milliseconds since the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from query.errors import QueryFailed
from query.promql.histogram import Histogram

Labels = dict[str, str]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Objects = npt.NDArray[np.object_]
Key = tuple[tuple[str, str], ...]

NAME = "__name__"
# What says which metric it is, and goes when the value becomes another.
_IDENTITY = frozenset({NAME, "__type__", "__unit__"})
SAME = "vector cannot contain metrics with the same labelset"
# Prometheus' stale marker, one NaN of many: https://github.com/prometheus/prometheus/blob/main/model/value/value.go
STALE = np.array([0x7FF0000000000002], dtype=np.uint64).view(np.float64)[0]


@dataclass(slots=True)
class Scalar:
    """One float for each step."""

    values: Floats


@dataclass(slots=True)
class String:
    """A text."""

    text: str


@dataclass(slots=True)
class Vector:
    """Series by steps. `present` says which cells hold a sample; a cell of `hists` that is not None is a histogram."""

    labels: list[Labels]
    values: Floats
    present: Bools
    hists: Objects | None = None

    def floats(self) -> Bools:
        """Cells that hold a float."""
        return self.present if self.hists is None else self.present & ~self.is_hist()

    def is_hist(self) -> Bools:
        """Cells that hold a native histogram."""
        if self.hists is None:
            return np.zeros_like(self.present)
        return self.present & filled(self.hists)

    def nonempty(self) -> Vector:
        """Only series that have a sample."""
        return self.take(np.asarray(self.present.any(axis=1)))

    def take(self, rows: Sequence[int] | Ints | Bools) -> Vector:
        """Some of the series, in the order of `rows`."""
        index = np.asarray(rows)
        index = np.flatnonzero(index) if index.dtype == np.bool_ else index.astype(np.int64)
        hists = None if self.hists is None else self.hists[index]
        return Vector([self.labels[i] for i in index], self.values[index], self.present[index], hists)


@dataclass(slots=True)
class Samples:
    """Samples of series as they were stored: series i has those from offsets[i] to offsets[i + 1], by time."""

    labels: list[Labels]
    offsets: Ints
    times: Ints
    values: Floats
    hists: Objects | None = None

    def only(self, keep: Bools) -> Samples:
        """The samples that a mask keeps; series stay, if without samples."""
        counts = np.concatenate([[0], np.cumsum(keep)])
        hists = None if self.hists is None else self.hists[keep]
        return Samples(self.labels, counts[self.offsets], self.times[keep], self.values[keep], hists)

    def fresh(self) -> Samples:
        """Without stale markers."""
        stale = is_stale(self.values)
        if self.hists is not None:
            stale &= ~filled(self.hists)
        return self.only(~stale) if stale.any() else self


@dataclass(slots=True)
class Windows:
    """A range vector: samples, and for each series and step those from lo to hi; (start, end] in milliseconds."""

    samples: Samples
    lo: Ints
    hi: Ints
    starts: Ints
    ends: Ints

    @property
    def seconds(self) -> float:
        """Length of the windows."""
        return float(self.ends[0] - self.starts[0]) / 1000.0


Value = Scalar | String | Vector | Windows


def is_stale(values: Floats) -> Bools:
    """Which values are stale markers."""
    return np.asarray(values.view(np.uint64) == np.uint64(0x7FF0000000000002))


def empty(steps: int) -> Vector:
    """A vector without series."""
    return Vector([], np.empty((0, steps)), np.empty((0, steps), dtype=np.bool_))


def positions(samples: Samples, times: Ints) -> Ints:
    """For each series and time, the index after the last sample at or before that time."""
    if not len(samples.labels) or not len(times):
        return np.zeros((len(samples.labels), len(times)), dtype=np.int64)
    if not len(samples.times):
        return np.broadcast_to(samples.offsets[:-1, None], (len(samples.labels), len(times))).astype(np.int64)
    first = int(min(samples.times.min(), times.min()))
    span = int(max(samples.times.max(), times.max())) - first + 2
    rows = np.arange(len(samples.labels), dtype=np.int64)
    keys = np.repeat(rows, np.diff(samples.offsets)) * span + (samples.times - first)
    return np.searchsorted(keys, rows[:, None] * span + (times - first)[None, :], side="right").astype(np.int64)


def windows(samples: Samples, starts: Ints, ends: Ints) -> Windows:
    """Left-open windows over samples, as Prometheus 3 has them."""
    if len(ends) > 1 and len(starts) == len(ends):
        step, length = int(ends[1] - ends[0]), int(ends[0] - starts[0])
        # Most windows start where others end: those places are looked for once.
        if step > 0 and length % step == 0 and length // step < len(ends) and _regular(starts, ends, step, length):
            shared = length // step
            found = positions(samples, np.concatenate([starts[:shared], ends]))
            return Windows(samples, found[:, :-shared], found[:, shared:], starts, ends)
    return Windows(samples, positions(samples, starts), positions(samples, ends), starts, ends)


def _regular(starts: Ints, ends: Ints, step: int, length: int) -> bool:
    return bool((np.diff(ends) == step).all() and (ends - starts == length).all())


def key(labels: Labels) -> Key:
    """Labels as something to compare and to sort by."""
    return tuple(sorted(labels.items()))


def without_name(labels: Labels) -> Labels:
    """Labels but the metric's name."""
    return {name: value for name, value in labels.items() if name not in _IDENTITY}


def relabelled(vector: Vector, change: Callable[[Labels], Labels], *, strict: bool = False) -> Vector:
    """The vector with other labels; series that become the same are one, if never at the same step.

    `strict` refuses them whenever they are. Raises QueryFailed.
    """
    labels = [change(found) for found in vector.labels]
    groups: dict[Key, list[int]] = {}
    for row, found in enumerate(labels):
        groups.setdefault(key(found), []).append(row)
    if len(groups) == len(labels):
        return Vector(labels, vector.values, vector.present, vector.hists)
    rows = np.array([group[0] for group in groups.values()])
    out = Vector(labels, vector.values.copy(), vector.present.copy(), copied(vector.hists))
    for group in groups.values():
        for other in group[1:]:
            _merge(out, group[0], other, strict=strict)
    return out.take(rows)


def _merge(vector: Vector, into: int, other: int, *, strict: bool) -> None:
    moved = vector.present[other]
    if not moved.any():
        return
    if strict or bool((vector.present[into] & moved).any()):
        raise QueryFailed(SAME)
    vector.values[into, moved] = vector.values[other, moved]
    vector.present[into] |= moved
    if vector.hists is not None:
        vector.hists[into, moved] = vector.hists[other, moved]


def filled(hists: Objects) -> Bools:
    """Which cells hold a histogram."""
    return np.asarray(np.not_equal(hists, np.array(None, dtype=np.object_)), dtype=np.bool_)


def copied(hists: Objects | None) -> Objects | None:
    """A copy of histograms, if there are any."""
    return None if hists is None else hists.copy()


def no_hists(shape: tuple[int, ...]) -> Objects:
    """An array of cells without histograms."""
    return np.full(shape, None, dtype=np.object_)


def hist_at(hists: Objects | None, where: Any) -> Histogram | None:
    """The histogram in a cell."""
    if hists is None:
        return None
    found: Histogram | None = hists[where]
    return found
