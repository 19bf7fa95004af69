"""Telemetry with times of our choosing, sent by the OpenTelemetry SDK's own OTLP/HTTP exporters."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from api.errors import SystemUnreachable

Attributes = Mapping[str, Any]
Key = tuple[tuple[str, Any], ...]
Data = Gauge | Sum | Histogram
# (resource, scope) -> (metric, kind) -> points
Points = dict[tuple[Key, str], dict[tuple[str, type[Data]], list[Any]]]

# Units as the Collector's receivers and the semantic conventions state them; Prometheus series carry none.
_UNITS = {
    "k8s.container.restarts": "{restart}",
    "container.cpu.usage": "{cpu}",
    "k8s.deployment.available": "{pod}",
    "k8s.deployment.desired": "{pod}",
    "gen_ai.server.time_to_first_token": "s",
}
_SEVERITY = {
    "INFO": SeverityNumber.INFO,
    "Normal": SeverityNumber.INFO,
    "Warning": SeverityNumber.WARN,
    "err": SeverityNumber.ERROR,
    "": SeverityNumber.UNSPECIFIED,
}


# Exporters retry a 503 until then; a machine busy with other things is no reason to give up.
_PATIENCE_S = 60.0


class _SameIds(IdGenerator):
    """Trace and span ids that are the same in every run, so that playing the same hour again sends the same bytes."""

    def __init__(self) -> None:
        self._random = random.Random(43)  # noqa: S311 - ids, not secrets

    def generate_span_id(self) -> int:
        return self._random.getrandbits(64) | 1

    def generate_trace_id(self) -> int:
        return self._random.getrandbits(128) | 1


class _Finished(SpanProcessor):
    """Keeps spans that ended until the next flush."""

    def __init__(self, finished: list[ReadableSpan]) -> None:
        self._finished = finished

    def on_end(self, span: ReadableSpan) -> None:
        self._finished.append(span)


@dataclass(slots=True)
class Sent:
    """What went out, per signal."""

    spans: int = 0
    log_records: int = 0
    data_points: int = 0


@dataclass
class Emitter:
    """Buffers one stretch of telemetry; `flush` exports it and waits until it is acknowledged."""

    endpoint: str
    sent: Sent = field(default_factory=Sent)

    def __post_init__(self) -> None:
        base = self.endpoint.rstrip("/")
        self._spans = OTLPSpanExporter(endpoint=f"{base}/v1/traces", compression=Compression.Gzip, timeout=_PATIENCE_S)
        self._logs = OTLPLogExporter(endpoint=f"{base}/v1/logs", compression=Compression.Gzip, timeout=_PATIENCE_S)
        self._metrics = OTLPMetricExporter(
            endpoint=f"{base}/v1/metrics", compression=Compression.Gzip, timeout=_PATIENCE_S
        )
        self._pool = ThreadPoolExecutor(3, thread_name_prefix="demo-export")
        self._finished: list[ReadableSpan] = []
        self._records: list[ReadableLogRecord] = []
        self._points: Points = defaultdict(lambda: defaultdict(list))
        self._resources: dict[Key, Resource] = {}
        self._tracers: dict[Key, TracerProvider] = {}
        self._ids = _SameIds()

    def gauges(
        self, resource: Attributes, scope: str, at: int, values: Mapping[str, float], labels: Attributes | None = None
    ) -> None:
        """One point of each named gauge, all with the same labels; `at` in nanoseconds since the epoch."""
        for name, value in values.items():
            self._point(resource, scope, name, Gauge, NumberDataPoint(labels or {}, 0, at, value))

    def counters(
        self, resource: Attributes, scope: str, at: int, values: Mapping[str, float], labels: Attributes
    ) -> None:
        """One point of each named cumulative monotonic sum."""
        for name, value in values.items():
            self._point(resource, scope, name, Sum, NumberDataPoint(labels, 0, at, value))

    def histogram(self, resource: Attributes, scope: str, name: str, point: HistogramDataPoint) -> None:
        """One point of a cumulative histogram."""
        self._point(resource, scope, name, Histogram, point)

    def _point(self, resource: Attributes, scope: str, name: str, kind: type[Data], point: Any) -> None:
        self._points[self._key(resource), scope][name, kind].append(point)
        self.sent.data_points += 1

    def log(
        self,
        resource: Attributes,
        scope: str,
        at: int,
        body: str,
        severity: str = "",
        attributes: Attributes | None = None,
        event: str | None = None,
        span: Span | None = None,
    ) -> None:
        """One log record; `severity` is the source's own text, `span` the one it belongs to."""
        record = LogRecord(
            timestamp=at,
            observed_timestamp=at + 400_000_000,
            context=trace.set_span_in_context(span) if span is not None else Context(),
            severity_text=severity or None,
            severity_number=_SEVERITY[severity],
            body=body,
            attributes=dict(attributes or {}),
            event_name=event,
        )
        readable = ReadableLogRecord(record, self._resources[self._key(resource)], InstrumentationScope(scope))
        self._records.append(readable)
        self.sent.log_records += 1

    def span(
        self,
        resource: Attributes,
        name: str,
        kind: SpanKind,
        start: int,
        end: int,
        attributes: Attributes,
        parent: Span | None = None,
        error: str | None = None,
    ) -> Span:
        """One finished span; `error` is the status message of a failed one."""
        key = self._key(resource)
        if key not in self._tracers:
            made = self._resources[key]
            provider = TracerProvider(resource=made, shutdown_on_exit=False, id_generator=self._ids)
            provider.add_span_processor(_Finished(self._finished))
            self._tracers[key] = provider
        context = trace.set_span_in_context(parent) if parent is not None else Context()
        tracer = self._tracers[key].get_tracer("opentelemetry.instrumentation")
        span = tracer.start_span(name, context, kind, attributes, start_time=start)
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(end)
        self.sent.spans += 1
        return span

    def flush(self) -> None:
        """Export everything buffered. Raises SystemUnreachable when the receiver does not take it."""
        spans, records, metrics = list(self._finished), list(self._records), self._metrics_data()
        self._finished.clear()
        self._records.clear()
        self._points.clear()
        taken = (
            self._pool.submit(lambda: not spans or self._spans.export(spans) is SpanExportResult.SUCCESS),
            self._pool.submit(lambda: not records or self._logs.export(records) is LogRecordExportResult.SUCCESS),
            self._pool.submit(lambda: self._metrics.export(metrics) is MetricExportResult.SUCCESS),
        )
        outcomes = [future.result() for future in taken]
        if not all(outcomes):
            raise SystemUnreachable(f"the receiver at {self.endpoint} did not take the demo's telemetry")

    def close(self) -> None:
        """Let go of connections and threads."""
        self._pool.shutdown()
        for exporter in (self._spans, self._logs, self._metrics):
            exporter.shutdown()

    def _key(self, attributes: Attributes) -> Key:
        key = tuple(attributes.items())
        if key not in self._resources:
            self._resources[key] = Resource(attributes)
        return key

    def _metrics_data(self) -> MetricsData:
        by_resource: dict[Key, list[ScopeMetrics]] = defaultdict(list)
        for (key, scope), metrics in self._points.items():
            made = [Metric(name, None, _UNITS.get(name), _data(kind, found)) for (name, kind), found in metrics.items()]
            by_resource[key].append(ScopeMetrics(InstrumentationScope(scope), made, ""))
        return MetricsData([ResourceMetrics(self._resources[key], scopes, "") for key, scopes in by_resource.items()])


def _data(kind: type[Data], points: Sequence[Any]) -> Data:
    if kind is Gauge:
        return Gauge(points)
    if kind is Sum:
        return Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    return Histogram(points, AggregationTemporality.CUMULATIVE)
