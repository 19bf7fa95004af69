"""Samples put in order by series and time.

The engine would sort all of them, which takes longer than reading them. It stores a series' samples of an hour side by
side, so what it reads is a few long pieces, and only these are sorted.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from query.promql.points import column
from query.promql.values import Ints


def by_series(table: pa.Table) -> pa.Table:
    """Rows (hash, time, value) by hash and time, each column in one piece; those at equal times in no certain order."""
    hashes, times, values = (column(table, name) for name in ("hash", "time", "value"))
    order = _order(hashes, times)
    if order is not None:
        hashes, times, values = hashes[order], times[order], values[order]
    return pa.table({"hash": hashes, "time": times, "value": values})


def _order(hashes: Ints, times: Ints) -> Ints | None:
    """Where each row comes from; None when they are in order already."""
    if len(hashes) < 2:
        return None
    begins = np.flatnonzero((hashes[1:] != hashes[:-1]) | (times[1:] < times[:-1])) + 1
    first = np.concatenate([[0], begins])
    end = np.concatenate([begins, [len(hashes)]])
    pieces = np.lexsort((times[first], hashes[first]))
    first, end = first[pieces], end[pieces]
    ids = hashes[first]
    same = ids[1:] == ids[:-1]
    if (same & (times[end[:-1] - 1] > times[first[1:]])).any():
        return _interleaved(hashes, times, ids[np.concatenate([[True], ~same])])
    if (first[1:] == end[:-1]).all():
        return None
    lengths = end - first
    shift = first - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.asarray(np.repeat(shift, lengths) + np.arange(len(hashes)))


def _interleaved(hashes: Ints, times: Ints, known: Ints) -> Ints:
    """The order where pieces of a series overlap, as parts that are not merged yet do. `known`: hashes, ascending."""
    earliest = int(times.min())
    span = int(times.max()) - earliest + 1
    # A stable sort makes use of the pieces that are in order.
    return np.argsort(np.searchsorted(known, hashes) * span + (times - earliest), kind="stable")
