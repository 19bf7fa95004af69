"""Rows of the metric tables as runs of samples, and runs as the evaluator's samples.

A run is what one table holds of one series, by time. Deltas become what they add up to since the run's first point,
which rates see no difference in; the count before is not known.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from query.errors import QueryLimitExceeded
from query.promql.histogram import CUSTOM, Histogram
from query.promql.naming import Identity, Kind
from query.promql.number import formatted
from query.promql.values import STALE, Floats, Ints, Key, Labels, Objects, Samples, filled, key

# Native histograms are objects of Python: more of them in one selector would take minutes.
MAX_HISTOGRAMS = 200_000


@dataclass(slots=True)
class Run:
    """Samples of one series, by time."""

    labels: Labels
    times: Ints
    values: Floats
    hists: Objects | None = None


Reader = Callable[[str, Labels, Identity, int, int], list[Run]]


def column(table: pa.Table, name: str) -> Any:
    """A column as numpy has it, by way of polars: pyarrow's would import pandas first, which takes a second."""
    return pl.Series(name, table[name]).to_numpy()


def runs_of(table: pa.Table) -> tuple[Ints, Ints]:
    """The hash of each row, and where each series starts, and the end."""
    hashes = column(table, "hash")
    starts = np.concatenate([[0], np.flatnonzero(hashes[1:] != hashes[:-1]) + 1, [len(hashes)]])
    return hashes, starts.astype(np.int64)


def arranged(runs: list[Run]) -> Samples:
    """Samples by series and time; runs with the same labels are one series, the later run winning at equal times."""
    groups: dict[Key, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run.labels), []).append(run)
    ordered = [groups[name] for name in sorted(groups)]
    merged = [group[0] if len(group) == 1 else _merged(group) for group in ordered]
    if not merged:
        return Samples([], np.zeros(1, dtype=np.int64), np.empty(0, dtype=np.int64), np.empty(0))
    hists = None
    if any(run.hists is not None for run in merged):
        hists = np.concatenate([_hists(run) for run in merged])
    return Samples(
        [run.labels for run in merged],
        np.cumsum([0, *(len(run.times) for run in merged)]).astype(np.int64),
        np.concatenate([run.times for run in merged]),
        np.concatenate([run.values for run in merged]),
        hists,
    )


def joined(parts: list[Samples]) -> Samples:
    """Samples of several tables as one; of series with the same labels, the later table's win at equal times."""
    some = [part for part in parts if part.labels]
    if len(some) == 1:
        return some[0]
    return arranged([run for part in some for run in split(part)])


def split(samples: Samples) -> list[Run]:
    """Samples as runs, one for each series."""
    cuts = [slice(lo, hi) for lo, hi in pairwise(samples.offsets.tolist())]
    return [
        Run(labels, samples.times[cut], samples.values[cut], None if samples.hists is None else samples.hists[cut])
        for labels, cut in zip(samples.labels, cuts, strict=True)
    ]


def _hists(run: Run) -> Objects:
    return run.hists if run.hists is not None else np.full(len(run.times), None, dtype=np.object_)


def _merged(runs: list[Run]) -> Run:
    times = np.concatenate([run.times for run in runs])
    order = np.argsort(times, kind="stable")
    ordered = times[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    kept = order[last]
    hists = None
    if any(run.hists is not None for run in runs):
        hists = np.concatenate([_hists(run) for run in runs])[kept]
    return Run(runs[0].labels, times[kept], np.concatenate([run.values for run in runs])[kept], hists)


def once(samples: Samples) -> Samples:
    """Floats without all but the last of samples at equal times: a resent batch, two points within a millisecond."""
    kept = np.append(samples.times[1:] != samples.times[:-1], True)
    kept[samples.offsets[1:] - 1] = True
    return samples if kept.all() else samples.only(kept)


def _once(run: Run) -> Run:
    """A run without all but the last of samples at equal times."""
    if len(run.times) > 1 and not (run.times[1:] > run.times[:-1]).all():
        return _merged([run])
    return run


def accumulated(values: Floats, identity: Identity) -> Floats:
    """Deltas added up; stale markers stay."""
    if not identity.delta:
        return values
    stale = np.isnan(values)
    total = np.cumsum(np.where(stale, 0.0, values), axis=0)
    return np.where(stale, values, total)


def _lists(table: pa.Table, name: str) -> tuple[Ints, Floats]:
    """A column of lists as offsets and flat values."""
    lists = pa.concat_arrays(table[name].chunks)
    return np.from_dlpack(lists.offsets).astype(np.int64), np.from_dlpack(lists.values).astype(np.float64)


def _with_stale(values: Any, stale: np.ndarray) -> Floats:
    return np.where(stale, STALE, np.asarray(values, dtype=np.float64))


def _classic(table: pa.Table) -> Reader:
    times = column(table, "time")
    stale = column(table, "stale").astype(np.bool_)
    count, total = _with_stale(column(table, "count"), stale), _with_stale(column(table, "sum"), stale)
    bounds_at, bounds = _lists(table, "bounds")
    buckets_at, buckets = _lists(table, "buckets")

    def read(suffix: str, labels: Labels, identity: Identity, lo: int, hi: int) -> list[Run]:
        if identity.foreign:
            return _custom(labels, lo, hi)
        if suffix in ("_count", "_sum"):
            values = (count if suffix == "_count" else total)[lo:hi]
            return [_once(Run(labels, times[lo:hi], accumulated(values, identity)))]
        return _buckets(labels, identity, lo, hi)

    def _buckets(labels: Labels, identity: Identity, lo: int, hi: int) -> list[Run]:
        found: list[Run] = []
        layouts: dict[bytes, list[int]] = {}
        for row in range(lo, hi):
            layouts.setdefault(bounds[bounds_at[row] : bounds_at[row + 1]].tobytes(), []).append(row)
        for layout, members in layouts.items():
            edges = [*np.frombuffer(layout, dtype=np.float64), np.inf]
            rows = np.array(members)
            width = buckets_at[rows + 1] - buckets_at[rows]
            # Without buckets, as the protocol allows, everything is below infinity.
            if not (width == len(edges)).all():
                edges, cells = [np.inf], count[rows][:, None]
            else:
                cells = buckets[buckets_at[rows][:, None] + np.arange(len(edges))[None, :]]
            cells = accumulated(np.where(stale[rows][:, None], STALE, cells), identity)
            found += [
                _once(Run(labels | {"le": formatted(float(edge))}, times[rows], np.ascontiguousarray(cells[:, i])))
                for i, edge in enumerate(edges)
            ]
        return found

    def _custom(labels: Labels, lo: int, hi: int) -> list[Run]:
        _check_number(hi - lo)
        hists = np.full(hi - lo, None, dtype=np.object_)
        for row in range(lo, hi):
            if not stale[row]:
                counts = np.diff(buckets[buckets_at[row] : buckets_at[row + 1]], prepend=0.0)
                hists[row - lo] = Histogram(
                    schema=CUSTOM, count=float(count[row]), sum=float(total[row]),
                    positive={i: float(n) for i, n in enumerate(counts) if n},
                    bounds=tuple(bounds[bounds_at[row] : bounds_at[row + 1]]),
                )  # fmt: skip
        return [_once(Run(labels, times[lo:hi], np.where(stale[lo:hi], STALE, 0.0), hists))]

    return read


def _check_number(histograms: int) -> None:
    if histograms > MAX_HISTOGRAMS:
        raise QueryLimitExceeded(f"more than {MAX_HISTOGRAMS} native histograms in one series")


def _exponential(table: pa.Table) -> Reader:
    _check_number(table.num_rows)
    times = column(table, "time")
    columns = {name: table[name].to_pylist() for name in table.column_names if name not in ("hash", "time")}

    def one(row: int) -> Histogram | None:
        if columns["stale"][row]:
            return None
        return Histogram(
            schema=columns["scale"][row], count=columns["count"][row], sum=columns["sum"][row],
            zero_threshold=columns["zero_threshold"][row], zero_count=columns["zero_count"][row],
            positive=_indexed(columns["positive_offset"][row], columns["positive"][row]),
            negative=_indexed(columns["negative_offset"][row], columns["negative"][row]),
            hint="gauge" if columns["gauge"][row] else "unknown",
        )  # fmt: skip

    def read(_: str, labels: Labels, identity: Identity, lo: int, hi: int) -> list[Run]:
        hists = np.full(hi - lo, None, dtype=np.object_)
        before: Histogram | None = None
        for row in range(lo, hi):
            found = one(row)
            if found is not None and identity.delta and before is not None:
                found = before.plus(found)
            before = found or before
            hists[row - lo] = found
        values = np.where(~filled(hists), STALE, 0.0)
        return [_once(Run(labels, times[lo:hi], values, hists))]

    return read


def _indexed(offset: int, counts: list[float]) -> dict[int, float]:
    """OTLP's bucket i begins where Prometheus' bucket i ends: its index is one less."""
    return {offset + place + 1: number for place, number in enumerate(counts) if number}


def _summary(table: pa.Table) -> Reader:
    times = column(table, "time")
    stale = column(table, "stale").astype(np.bool_)
    count, total = _with_stale(column(table, "count"), stale), _with_stale(column(table, "sum"), stale)
    at, quantiles = _lists(table, "quantiles")
    _, values = _lists(table, "quantile_values")

    def read(suffix: str, labels: Labels, _: Identity, lo: int, hi: int) -> list[Run]:
        if suffix:
            return [_once(Run(labels, times[lo:hi], (count if suffix == "_count" else total)[lo:hi]))]
        rows = np.repeat(np.arange(lo, hi), np.diff(at[lo : hi + 1]))
        some, read_values = quantiles[at[lo] : at[hi]], values[at[lo] : at[hi]]
        found = []
        for quantile in np.unique(some):
            mine = some == quantile
            named = labels | {"quantile": formatted(float(quantile))}
            found.append(_once(Run(named, times[rows[mine]], _with_stale(read_values[mine], stale[rows[mine]]))))
        return found

    return read


READERS: dict[Kind, Callable[[pa.Table], Reader]] = {
    Kind.HISTOGRAM: _classic,
    Kind.EXPONENTIAL: _exponential,
    Kind.SUMMARY: _summary,
}
