"""Answers in Loki's form: streams, matrices, vectors and errors.

`encodingFlags` comes before `result`, and with `categorize-labels` each value has a third element, even an empty one:
Grafana's parser reads the answer as a stream and depends on both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from fastapi import Request, Response

from api.protocol.foreign import answer
from query.logql.evaluate import Times, Vectors
from query.logql.lines import Line

CATEGORIZE = "categorize-labels"
_KINDS = {400: "bad_data", 404: "not_found", 503: "unavailable", 504: "timeout"}


def refused(status: int, text: str) -> Response:
    """An error; Grafana shows `message`, Prometheus-like clients `error`."""
    kind = _KINDS.get(int(status), "internal" if status >= 500 else "bad_data")
    return answer({"status": "error", "errorType": kind, "error": text, "message": text}, status)


def success(data: Any) -> Response:
    """Loki's envelope."""
    return answer({"status": "success", "data": data})


def categorizes(request: Request) -> bool:
    """Whether labels are asked for by their sort."""
    flags = request.headers.get("X-Loki-Response-Encoding-Flags", "")
    return CATEGORIZE in (flag.strip() for flag in flags.split(","))


def streams(lines: Sequence[Line], *, by_sort: bool) -> Response:
    """Lines grouped by stream, in their order; without `by_sort` all labels are the stream's."""
    groups: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for line in lines:
        labels = line.stream if by_sort else {**line.stream, **line.metadata, **line.parsed}
        value: list[Any] = [str(line.at), line.text]
        if by_sort:
            told = {"structuredMetadata": line.metadata, "parsed": line.parsed}
            value.append({name: found for name, found in told.items() if found})
        groups.setdefault(tuple(sorted(labels.items())), []).append(value)
    flags = {"encodingFlags": [CATEGORIZE]} if by_sort else {}
    result = [{"stream": dict(labels), "values": values} for labels, values in groups.items()]
    return success({"resultType": "streams", **flags, "result": result, "stats": {}})


def matrix(found: Vectors | float, times: Times) -> Response:
    """All steps of all series, in seconds; a scalar is a series without labels."""
    if isinstance(found, float):
        points = [(step, found) for step in range(times.steps)]
        series: Iterable[tuple[dict[str, str], list[tuple[int, float]]]] = [({}, points)]
    else:
        by_series: dict[int, list[tuple[int, float]]] = {}
        for number, step, value in _rows(found):
            by_series.setdefault(number, []).append((step, value))
        series = [(found.labels[number], points) for number, points in by_series.items()]
    result = [
        {"metric": labels, "values": [[_seconds(times, step), number_text(value)] for step, value in points]}
        for labels, points in series
    ]
    return success({"resultType": "matrix", "result": result, "stats": {}})


def vector(found: Vectors | float, times: Times) -> Response:
    """The values at the one step of an instant query."""
    if isinstance(found, float):
        return success({"resultType": "scalar", "result": [_seconds(times, 0), number_text(found)], "stats": {}})
    result = [
        {"metric": found.labels[number], "value": [_seconds(times, 0), number_text(value)]}
        for number, _, value in _rows(found)
    ]
    return success({"resultType": "vector", "result": result, "stats": {}})


def _rows(found: Vectors) -> Iterable[tuple[int, int, float]]:
    values = found.values
    return zip(values["series"], values["step"], values["value"], strict=True)


def _seconds(times: Times, step: int) -> float | int:
    nanos = times.start + step * times.step
    return nanos // 10**9 if nanos % 10**9 == 0 else nanos / 1e9


def number_text(value: float) -> str:
    """A number as Prometheus writes it: the shortest text that reads back, NaN, +Inf, -Inf."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
