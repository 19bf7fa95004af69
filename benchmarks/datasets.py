"""Request bodies by the hundred thousand items, all different, made in seconds and prepared for the load generator."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.load import write_requests
from benchmarks.payloads import log_requests, metric_requests, trace_requests
from tests.kit.otlp import SECOND, T0, serialized

BASE = 30_000
LEVEL = 6
WARM_UP = 8


@dataclass(frozen=True)
class Dataset:
    """Requests of one signal and size, in a file for the load generator; the first few in a file of their own."""

    signal: str
    size: int
    connections: int
    items: int
    warm_items: int
    requests: int
    raw_bytes: int
    file: Path
    warm: Path

    @property
    def name(self) -> str:
        """The signal, the items in a request and the connections."""
        return f"{self.signal} {self.size} x {self.connections}"


@cache
def fresh(signal: str, size: int, items: int) -> list[bytes]:
    """About `items` items, each made by itself, which takes 20 to 90 us an item."""
    return _KINDS[signal].make(items, size, T0)


def bodies(signal: str, size: int, items: int, period: int = 0) -> list[bytes]:
    """About `items` items, `size` a request (metrics: a few less).

    The first BASE are made one by one; the others are these at later times, in other traces. Another
    `period` gives other requests, after all of the one before unless it had more than 100 times BASE.
    """
    made = fresh(signal, size, min(items, BASE))
    out: list[bytes] = []
    copy = period * 100
    while len(out) * size < items:
        out += _moved(_KINDS[signal], made, copy) if copy else made
        copy += 1
    return out[: -(-items // size)]


def prepare(folder: Path, signal: str, size: int, connections: int, items: int) -> Dataset:
    """Make the requests and write them down, compressed."""
    made = bodies(signal, size, items + WARM_UP * size)
    warm, rest = made[:WARM_UP], made[WARM_UP:]
    file, warm_file = folder / f"{signal}-{size}", folder / f"{signal}-{size}-warm"
    write_requests(warm_file, f"/v1/{signal}", [gzip.compress(body, LEVEL) for body in warm], "gzip")
    write_requests(file, f"/v1/{signal}", [gzip.compress(body, LEVEL) for body in rest], "gzip")
    # Metrics have three instruments, and size // 3 points of each.
    each = size // 3 * 3 if signal == "metrics" else size
    raw = sum(map(len, rest))
    return Dataset(signal, size, connections, len(rest) * each, len(warm) * each, len(rest), raw, file, warm_file)


class _Kind(NamedTuple):
    make: Callable[[int, int, int], list[bytes]]
    message: type[Message]
    move: Callable[[Any, int], None]


def _moved(kind: _Kind, made: list[bytes], copy: int) -> Iterator[bytes]:
    request = kind.message()
    for body in made:
        request.ParseFromString(body)
        kind.move(request, copy)
        yield serialized(request)


def _masked(identifier: bytes, copy: int) -> bytes:
    """Another identifier, the same for the same two: spans keep their parents and traces."""
    if not identifier:
        return b""
    mask = copy * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
    return (int.from_bytes(identifier, "big") ^ mask).to_bytes(len(identifier), "big")


def _move_traces(request: Any, copy: int) -> None:
    later = copy * 3 * SECOND
    for span in (s for r in request.resource_spans for c in r.scope_spans for s in c.spans):
        span.trace_id = _masked(span.trace_id, copy)
        span.span_id = _masked(span.span_id, copy)
        span.parent_span_id = _masked(span.parent_span_id, copy)
        span.start_time_unix_nano += later
        span.end_time_unix_nano += later


def _move_logs(request: Any, copy: int) -> None:
    later = copy * 4 * SECOND
    for record in (x for r in request.resource_logs for c in r.scope_logs for x in c.log_records):
        record.trace_id = _masked(record.trace_id, copy)
        record.span_id = _masked(record.span_id, copy)
        record.time_unix_nano += later
        record.observed_time_unix_nano += later


def _move_metrics(request: Any, copy: int) -> None:
    later = copy * 600 * SECOND
    for metric in (m for r in request.resource_metrics for c in r.scope_metrics for m in c.metrics):
        for point in getattr(metric, metric.WhichOneof("data")).data_points:
            point.time_unix_nano += later


_KINDS = {
    "traces": _Kind(trace_requests, ExportTraceServiceRequest, _move_traces),
    "logs": _Kind(log_requests, ExportLogsServiceRequest, _move_logs),
    "metrics": _Kind(metric_requests, ExportMetricsServiceRequest, _move_metrics),
}
