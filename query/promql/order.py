"""Samples put in order by series and time.

The engine would sort all of them, which takes longer than reading them. It stores a series' samples of an hour side by
side, so what it reads is a few long pieces, and only these are sorted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from query.promql.values import Floats, Ints

Hashes = npt.NDArray[np.uint64]
# Pieces at least this long on average are copied one by one; shorter ones by an index of every row.
_LONG = 32


@dataclass(frozen=True, slots=True)
class Pieces:
    """Rows that are in order: piece i has those from first[i] to end[i], and is of the series ids[series[i]]."""

    ids: Hashes
    series: Ints
    first: Ints
    end: Ints


def pieces(hashes: Hashes, times: Ints) -> Pieces:
    """What is in order among rows of series and times; `ids` are ascending hashes."""
    if not len(hashes):
        none = np.empty(0, dtype=np.int64)
        return Pieces(hashes, none, none, none)
    begins = np.flatnonzero((hashes[1:] != hashes[:-1]) | (times[1:] < times[:-1])) + 1
    first = np.concatenate([[0], begins])
    ids, series = np.unique(hashes[first], return_inverse=True)
    return Pieces(ids, series, first, np.concatenate([begins, [len(hashes)]]))


def gathered(found: Pieces, rank: Ints, times: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    """Where each series starts, and the end; times and values, by series and time, those at equal times in no order.

    `rank` is the place of each series of `found`, 0, 1, ... without gaps; series at -1 are left out.
    """
    places = rank[found.series]
    order = np.lexsort((times[found.first], places))
    order = order[np.searchsorted(places[order], 0) :]
    places, first, end = places[order], found.first[order], found.end[order]
    lengths = end - first
    offsets = np.zeros(int(rank.max(initial=-1)) + 2, dtype=np.int64)
    np.add.at(offsets, places + 1, lengths)
    offsets = np.cumsum(offsets)
    overlap = (places[1:] == places[:-1]) & (times[end[:-1] - 1] > times[first[1:]])
    if overlap.any() or offsets[-1] < _LONG * len(order):
        rows = _rows(first, lengths)
        if overlap.any():
            rows = rows[_interleaved(np.repeat(places, lengths), times[rows])]
        return offsets, times[rows], values[rows]
    cuts = [slice(lo, hi) for lo, hi in zip(first.tolist(), end.tolist(), strict=True)]
    return offsets, _joined(times, cuts), _joined(values, cuts)


def _rows(first: Ints, lengths: Ints) -> Ints:
    """The numbers of all rows of pieces."""
    shift = first - np.concatenate([[0], np.cumsum(lengths)])[:-1]
    return np.asarray(np.repeat(shift, lengths) + np.arange(lengths.sum()))


def _interleaved(places: Ints, times: Ints) -> Ints:
    """The order where pieces of a series overlap, as parts that are not merged yet do."""
    span = int(times.max()) - int(times.min()) + 1
    # A stable sort makes use of the pieces that are in order.
    return np.argsort(places * span + times, kind="stable")


def _joined(column: np.ndarray, cuts: list[slice]) -> np.ndarray:
    return np.concatenate([column[cut] for cut in cuts]) if cuts else column[:0]
