"""Values of PromQL as Prometheus' JSON, a column at a time: a graph has hundreds of thousands of numbers."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from api.prometheus.envelope import as_json
from query.promql.histogram import Histogram
from query.promql.number import formatted
from query.promql.values import Floats, Ints, Labels, Scalar, String, Value, Vector, Windows, filled, key


def instant(value: Value, time: int, limit: int = 0) -> tuple[bytes, bool]:
    """The data of an answer at one time, and whether series were left out."""
    if isinstance(value, Scalar):
        return _data("scalar", as_json([_seconds(time), formatted(float(value.values[0]))])), False
    if isinstance(value, String):
        return _data("string", as_json([_seconds(time), value.text])), False
    if isinstance(value, Windows):
        return _matrix(*_of_windows(value), limit)
    assert isinstance(value, Vector)
    rows = np.flatnonzero(value.present[:, 0]) if value.labels else np.empty(0, dtype=np.int64)
    cut = bool(limit) and len(rows) > limit
    rows = rows[:limit] if cut else rows
    texts = numbers(value.values[rows, 0]) if len(rows) else []
    found = []
    for row, text in zip(rows, texts, strict=True):
        histogram = value.hists[row, 0] if value.hists is not None else None
        sample = _sample(time, text, histogram)
        found.append(b'{"metric":' + _metric(value.labels[row]) + b"," + sample + b"}")
    return _data("vector", b"[" + b",".join(found) + b"]"), cut


def matrix(value: Value, times: Ints, limit: int = 0) -> tuple[bytes, bool]:
    """The data of an answer at many times, and whether series were left out."""
    if isinstance(value, Scalar):
        value = Vector([{}], value.values[None, :], np.ones((1, len(times)), dtype=np.bool_))
    assert isinstance(value, Vector)
    keys = [key(labels) for labels in value.labels]
    order = sorted(range(len(keys)), key=keys.__getitem__)
    value = value.take(order) if order != list(range(len(keys))) else value
    rows, places = np.nonzero(value.present)
    hists = None if value.hists is None else value.hists[value.present]
    return _matrix(value.labels, rows, times, places, value.values[value.present], hists, limit)


def _of_windows(win: Windows) -> tuple[list[Labels], Ints, Ints, Ints, Floats, Any]:
    counts = win.hi[:, 0] - win.lo[:, 0]
    rows = np.repeat(np.arange(len(counts)), counts)
    at = np.concatenate([np.arange(lo, hi) for lo, hi in zip(win.lo[:, 0], win.hi[:, 0], strict=True)] or [rows])
    samples = win.samples
    hists = None if samples.hists is None else samples.hists[at]
    times, places = np.unique(samples.times[at], return_inverse=True)
    return samples.labels, rows, times, places, samples.values[at], hists


def _matrix(
    labels: list[Labels], rows: Ints, times: Ints, places: Ints, values: Floats, hists: Any, limit: int
) -> tuple[bytes, bool]:
    """Samples by series and time, at times[places]; `rows` ascends."""
    is_hist = np.zeros(len(rows), dtype=np.bool_) if hists is None else filled(hists)
    if is_hist.any():
        floats = _joined(rows[~is_hist], times, places[~is_hist], values[~is_hist])
    else:
        floats = _joined(rows, times, places, values)
    natives: dict[int, list[bytes]] = {}
    for at in np.flatnonzero(is_hist):
        cell = b"[" + as_json(_seconds(int(times[places[at]]))) + b"," + as_json(_histogram(hists[at])) + b"]"
        natives.setdefault(int(rows[at]), []).append(cell)
    some = sorted({*floats, *natives})
    cut = bool(limit) and len(some) > limit
    parts: list[bytes | memoryview] = []
    for row in some[:limit] if cut else some:
        parts += [b',{"metric":' if parts else b'{"metric":', _metric(labels[row])]
        if row in floats:
            parts += [b',"values":[', floats[row], b'"]]']
        if row in natives:
            parts += [b',"histograms":[', b",".join(natives[row]), b"]"]
        parts.append(b"}")
    return _data("matrix", b"[" + b"".join(parts) + b"]"), cut


def _joined(rows: Ints, times: Ints, places: Ints, values: Floats) -> dict[int, memoryview]:
    """`[time,"value"],...` of each series that has samples, but the quote and bracket at its end."""
    if not len(rows):
        return {}
    # Each text ends the sample before it, which a series' first has not got: all are one text, cut between series.
    ends = '"],'
    stamps = pl.Series([f'{ends}[{_seconds(int(time))},"' for time in times]).gather(places)
    # The third is what joins the others; pyarrow's own way to make it would import pandas.
    cells = pc.binary_join_element_wise(_arrow(stamps), _arrow(_texts(values)), _arrow(pl.Series([""]))[0])
    _, offsets, data = cells.buffers()
    text = memoryview(data)
    first = np.concatenate([[0], np.flatnonzero(rows[1:] != rows[:-1]) + 1, [len(rows)]])
    cuts = np.frombuffer(offsets, dtype=np.int64)[first].tolist()
    return {
        row: text[start + len(ends) : end]
        for row, (start, end) in zip(rows[first[:-1]].tolist(), pairwise(cuts), strict=True)
    }


def _arrow(texts: pl.Series) -> pa.Array:
    """Texts side by side in memory, as polars has them not."""
    return texts.to_arrow(compat_level=pl.CompatLevel.oldest())


def _texts(values: Floats) -> pl.Series:
    """Numbers as Prometheus writes them; the few that polars writes otherwise are written one by one."""
    size = np.abs(values)
    whole = values == np.trunc(values)
    if whole.all() and size.max(initial=0) < 1e15 and not np.signbit(values[values == 0]).any():
        return pl.Series(values.astype(np.int64)).cast(pl.String)
    texts = pl.Series(values, dtype=pl.Float64).cast(pl.String)
    texts = texts.str.strip_suffix(".0") if whole.any() else texts
    with np.errstate(invalid="ignore"):
        odd = np.flatnonzero(~((size < 1e15) & (size >= 1e-4)) & (values != 0) & ~np.isnan(values))
    if len(odd):
        unique, place = np.unique(values[odd], return_inverse=True)
        written = pl.Series([formatted(float(each)) for each in unique]).gather(place)
        texts = texts.scatter(odd, written)
    return texts


def numbers(values: Floats) -> list[str]:
    """Numbers as Prometheus writes them."""
    return list(_texts(values).to_list())


def _data(kind: str, result: bytes) -> bytes:
    return b'{"resultType":"' + kind.encode() + b'","result":' + result + b"}"


def _metric(labels: Labels) -> bytes:
    """Labels by their names."""
    ordered = dict(sorted(labels.items()))
    try:
        return msgspec.json.encode(ordered)
    except UnicodeEncodeError:
        return as_json(ordered)


def _seconds(time: int) -> float | int:
    return time // 1000 if time % 1000 == 0 else time / 1000


def _sample(time: int, text: str, histogram: Histogram | None) -> bytes:
    if histogram is not None:
        return b'"histogram":' + as_json([_seconds(time), _histogram(histogram)])
    return b'"value":' + as_json([_seconds(time), text])


def _histogram(histogram: Histogram) -> dict[str, Any]:
    """Buckets as [which ends belong to it, lower, upper, count]: 0 the upper, 1 the lower, 3 both.

    https://prometheus.io/docs/prometheus/latest/querying/api/#native-histograms
    """
    buckets = [
        [3 if low == -high else 1 if low < 0 else 0, formatted(low), formatted(high), formatted(number)]
        for low, high, number in histogram.cells()
    ]
    out: dict[str, Any] = {"count": formatted(histogram.count), "sum": formatted(histogram.sum)}
    return out | {"buckets": buckets} if buckets else out
