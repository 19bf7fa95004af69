"""Telemetry under construction: series, log records and spans, and the OTLP requests they make."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from numpy.typing import NDArray
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.envelope import Signal
from tests.kit.otlp import IDS, any_value, put, resource

Floats = NDArray[np.float64]
Attributes = Mapping[str, Any]
SECOND = 10**9


@dataclass(frozen=True, slots=True)
class Series:
    """One metric series on the scenario's grid; NaN where no point was sent.

    `kind` is gauge, sum (cumulative) or histogram, for which `values` has a column for each bucket.
    """

    resource: Attributes
    scope: str
    name: str
    kind: str
    attributes: Attributes
    values: Floats
    unit: str = ""
    bounds: tuple[float, ...] = ()
    mean: float = 0.0


@dataclass(frozen=True, slots=True)
class Line:
    """A log record; times in seconds of the scenario."""

    at: float
    resource: Attributes
    scope: str
    body: Any
    attributes: Attributes = field(default_factory=dict)
    severity: int = 0
    severity_text: str = ""
    observed: float | None = None
    event_name: str = ""
    trace_id: bytes = b""
    span_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Call:
    """A span; times in seconds of the scenario."""

    resource: Attributes
    trace_id: bytes
    span_id: bytes
    parent: bytes
    name: str
    kind: int
    start: float
    end: float
    attributes: Attributes
    failed: str = ""


def _key(attributes: Attributes) -> str:
    return json.dumps(attributes, sort_keys=True, default=str)


def metric_requests(series: Iterable[Series], times: list[int], per_request: int = 60) -> Iterator[Message]:
    """Requests of up to `per_request` points in time, every resource in each."""
    grouped: dict[str, list[Series]] = {}
    for one in series:
        grouped.setdefault(_key(one.resource) + one.scope, []).append(one)
    for first in range(0, len(times), per_request):
        request = ExportMetricsServiceRequest()
        for members in grouped.values():
            part = request.resource_metrics.add(resource=resource(members[0].resource))
            scope = part.scope_metrics.add()
            scope.scope.name = members[0].scope
            metrics: dict[str, Metric] = {}
            for one in members:
                metric = metrics.get(one.name)
                if metric is None:
                    metric = metrics[one.name] = scope.metrics.add(name=one.name, unit=one.unit)
                _points(metric, one, times, slice(first, first + per_request))
        yield request


def _points(metric: Metric, one: Series, times: list[int], part: slice) -> None:
    if one.kind == "histogram":
        metric.histogram.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        shape = HistogramDataPoint(start_time_unix_nano=times[0] - SECOND, explicit_bounds=one.bounds)
        put(shape.attributes, one.attributes)
        for at, row in zip(times[part], one.values[part].tolist(), strict=True):
            if row[0] != row[0]:
                continue
            point = metric.histogram.data_points.add()
            point.CopyFrom(shape)
            point.time_unix_nano = at
            point.bucket_counts.extend(map(int, row))
            point.count = int(sum(row))
            point.sum = point.count * one.mean
        return
    template = NumberDataPoint()
    put(template.attributes, one.attributes)
    if one.kind == "sum":
        metric.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
        metric.sum.is_monotonic = True
        template.start_time_unix_nano = times[0] - SECOND
        points = metric.sum.data_points
    else:
        metric.gauge.SetInParent()
        points = metric.gauge.data_points
    for at, value in zip(times[part], one.values[part].tolist(), strict=True):
        if value == value:
            number = points.add()
            number.CopyFrom(template)
            number.time_unix_nano = at
            number.as_double = value


def log_requests(lines: Iterable[Line], start: int, per_request: int = 2000) -> Iterator[Message]:
    """Requests in order of time."""
    ordered = sorted(lines, key=lambda line: (line.at, _key(line.resource)))
    for first in range(0, len(ordered), per_request):
        request = ExportLogsServiceRequest()
        scopes: dict[str, Any] = {}
        for line in ordered[first : first + per_request]:
            name = _key(line.resource) + line.scope
            if name not in scopes:
                part = request.resource_logs.add(resource=resource(line.resource))
                scopes[name] = part.scope_logs.add()
                scopes[name].scope.name = line.scope
            scopes[name].log_records.append(_record(line, start))
        yield request


def _record(line: Line, start: int) -> LogRecord:
    at = start + round(line.at * 1e6) * 1000
    seen = at + 400_000_000 if line.observed is None else start + round(line.observed * 1e6) * 1000
    record = LogRecord(
        time_unix_nano=at,
        observed_time_unix_nano=seen,
        severity_text=line.severity_text,
        body=any_value(line.body),
        event_name=line.event_name,
        trace_id=line.trace_id,
        span_id=line.span_id,
    )
    record.severity_number = line.severity  # type: ignore[assignment]
    put(record.attributes, line.attributes)
    return record


def trace_requests(calls: Iterable[Call], start: int, per_request: int = 2000) -> Iterator[Message]:
    """Requests in the order in which spans ended."""
    ordered = sorted(calls, key=lambda call: (call.end, call.span_id))
    for first in range(0, len(ordered), per_request):
        request = ExportTraceServiceRequest()
        scopes: dict[str, Any] = {}
        for call in ordered[first : first + per_request]:
            name = _key(call.resource)
            if name not in scopes:
                part = request.resource_spans.add(resource=resource(call.resource))
                scopes[name] = part.scope_spans.add()
                scopes[name].scope.name = "opentelemetry.instrumentation"
            scopes[name].spans.append(_span(call, start))
        yield request


def _span(call: Call, start: int) -> Span:
    span = Span(
        trace_id=call.trace_id,
        span_id=call.span_id,
        parent_span_id=call.parent,
        name=call.name,
        start_time_unix_nano=start + round(call.start * 1e6) * 1000,
        end_time_unix_nano=start + round(call.end * 1e6) * 1000,
    )
    span.kind = call.kind  # type: ignore[assignment]
    put(span.attributes, call.attributes)
    if call.failed:
        span.status.code = 2  # type: ignore[assignment]
        span.status.message = call.failed
    return span


def write_lines(folder: Path, requests: Iterable[tuple[Signal, Message]]) -> None:
    """OTLP JSON lines, a file for each signal, as the OTLP file exporter writes them."""
    files = {
        Signal.METRICS: folder / "metrics.jsonl",
        Signal.LOGS: folder / "logs.jsonl",
        Signal.TRACES: folder / "traces.jsonl",
    }
    handles = {signal: path.open("w", encoding="utf-8") for signal, path in files.items()}
    try:
        for signal, message in requests:
            json.dump(_otlp_form(MessageToDict(message, use_integers_for_enums=True)), handles[signal])
            handles[signal].write("\n")
    finally:
        for handle in handles.values():
            handle.close()


def _otlp_form(value: Any) -> Any:
    """protobuf's JSON with identifiers in hex, as OTLP has them."""
    if isinstance(value, list):
        return [_otlp_form(item) for item in value]
    if isinstance(value, dict):
        return {key: base64.b64decode(item).hex() if key in IDS else _otlp_form(item) for key, item in value.items()}
    return value
