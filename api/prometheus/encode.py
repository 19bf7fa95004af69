"""Values of PromQL as Prometheus' JSON, a column at a time: a graph has hundreds of thousands of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

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
        found.append(b'{"metric":' + as_json(dict(sorted(value.labels[row].items()))) + b"," + sample + b"}")
    return _data("vector", b"[" + b",".join(found) + b"]"), cut


def matrix(value: Value, times: Ints, limit: int = 0) -> tuple[bytes, bool]:
    """The data of an answer at many times, and whether series were left out."""
    if isinstance(value, Scalar):
        value = Vector([{}], value.values[None, :], np.ones((1, len(times)), dtype=np.bool_))
    assert isinstance(value, Vector)
    value = value.take(sorted(range(len(value.labels)), key=[key(labels) for labels in value.labels].__getitem__))
    where = np.nonzero(value.present)
    hists = None if value.hists is None else value.hists[where]
    return _matrix(value.labels, where[0].astype(np.int64), times[where[1]], value.values[where], hists, limit)


def _of_windows(win: Windows) -> tuple[list[Labels], Ints, Ints, Floats, Any]:
    counts = win.hi[:, 0] - win.lo[:, 0]
    rows = np.repeat(np.arange(len(counts)), counts)
    at = np.concatenate([np.arange(lo, hi) for lo, hi in zip(win.lo[:, 0], win.hi[:, 0], strict=True)] or [rows])
    samples = win.samples
    hists = None if samples.hists is None else samples.hists[at]
    return samples.labels, rows, samples.times[at], samples.values[at], hists


def _matrix(
    labels: list[Labels], rows: Ints, times: Ints, values: Floats, hists: Any, limit: int
) -> tuple[bytes, bool]:
    """Samples by series and time; `rows` ascends."""
    is_hist = np.zeros(len(rows), dtype=np.bool_) if hists is None else filled(hists)
    floats = _joined(rows[~is_hist], times[~is_hist], values[~is_hist])
    natives: dict[int, list[bytes]] = {}
    for at in np.flatnonzero(is_hist):
        cell = b"[" + as_json(_seconds(int(times[at]))) + b"," + as_json(_histogram(hists[at])) + b"]"
        natives.setdefault(int(rows[at]), []).append(cell)
    some = sorted({*floats, *natives})
    cut = bool(limit) and len(some) > limit
    found = []
    for row in some[:limit] if cut else some:
        parts = [b'"metric":' + as_json(dict(sorted(labels[row].items())))]
        if row in floats:
            parts.append(b'"values":[' + floats[row].encode() + b"]")
        if row in natives:
            parts.append(b'"histograms":[' + b",".join(natives[row]) + b"]")
        found.append(b"{" + b",".join(parts) + b"}")
    return _data("matrix", b"[" + b",".join(found) + b"]"), cut


def _joined(rows: Ints, times: Ints, values: Floats) -> dict[int, str]:
    """`[time,"value"],...` of each series that has samples."""
    if not len(rows):
        return {}
    unique, place = np.unique(times, return_inverse=True)
    stamps = pl.Series([f'[{_seconds(int(t))},"' for t in unique]).gather(place)
    frame = pl.DataFrame({"row": rows, "stamp": stamps, "value": _texts(values)})
    cells = pl.concat_str("stamp", "value", pl.lit('"]'))
    joined = frame.group_by("row", maintain_order=True).agg(cells.str.join(",").alias("cells"))
    return dict(zip(joined["row"].to_list(), joined["cells"].to_list(), strict=True))


def _texts(values: Floats) -> pl.Series:
    """Numbers as Prometheus writes them; the few that polars writes otherwise are written one by one."""
    texts = pl.Series(values, dtype=pl.Float64).cast(pl.String).str.strip_suffix(".0")
    size = np.abs(values)
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
