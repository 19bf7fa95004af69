"""OpenTelemetry's SDK for Python as a client: what the description says, over gRPC or HTTP."""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetricExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import (
    Aggregation,
    DefaultAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
)

from tests.clients.description import SAID

SCOPE, LIMITS = SAID["scope"], SAID["limits"]
EXPORTERS: dict[tuple[str, str], Callable[..., Any]] = {
    ("traces", "grpc"): GrpcSpanExporter,
    ("traces", "http"): OTLPSpanExporter,
    ("logs", "grpc"): GrpcLogExporter,
    ("logs", "http"): OTLPLogExporter,
    ("metrics", "grpc"): GrpcMetricExporter,
    ("metrics", "http"): OTLPMetricExporter,
}
RECORD = {"histogram": "record", "gauge": "set"}
DELTA: dict[type, AggregationTemporality] = dict.fromkeys(
    (Counter, ObservableCounter, Histogram), AggregationTemporality.DELTA
)


def send(protocol: str, endpoint: str, instance: str) -> None:
    """Send everything, `service.instance.id` being `instance`, over "grpc" or "http". Raises when the SDK complains."""
    resource = Resource(
        {**SAID["resource"]["attributes"], "service.instance.id": instance}, SAID["resource"]["schema_url"]
    )
    with _complaints(), warnings.catch_warnings():
        # Going over its limits is what is asked of it.
        warnings.filterwarnings("ignore", "Log record attributes were dropped")
        _spans(resource, _exporter(protocol, endpoint, "traces"))
        _logs(resource, _exporter(protocol, endpoint, "logs"))
        for temporality, preferred in (("cumulative", None), ("delta", DELTA)):
            exporter = _exporter(protocol, endpoint, "metrics", preferred_temporality=preferred)
            _metrics(resource, temporality, exporter)


def _exporter(protocol: str, endpoint: str, signal: str, **options: Any) -> Any:
    exporter = EXPORTERS[signal, protocol]
    if protocol == "grpc":
        return exporter(endpoint=endpoint, insecure=True, timeout=20, **options)
    return exporter(endpoint=f"{endpoint}/v1/{signal}", timeout=20, **options)


@contextmanager
def _complaints() -> Iterator[None]:
    """Exporters log what goes wrong and return; an error they log is raised in the end."""
    found: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: found.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("opentelemetry")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
    assert not found, found


class _Ids(IdGenerator):
    """The ids of the span that comes next."""

    def __init__(self) -> None:
        self.trace_id = self.span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def _span_context(ids: dict[str, Any]) -> SpanContext:
    state = TraceState.from_header([ids["trace_state"]]) if "trace_state" in ids else None
    remote = ids.get("remote", False)
    return SpanContext(int(ids["trace_id"], 16), int(ids["span_id"], 16), remote, TraceFlags(TraceFlags.SAMPLED), state)


def _within(ids: dict[str, Any]) -> Context:
    return trace.set_span_in_context(NonRecordingSpan(_span_context(ids)), Context())


def _parent(span: dict[str, Any]) -> Context:
    if "remote_parent" in span:
        return _within({"trace_id": span["trace_id"], "remote": True, **span["remote_parent"]})
    if "local_parent" in span:
        return _within({"trace_id": span["trace_id"], **span["local_parent"]})
    return Context()


def _spans(resource: Resource, exporter: Any) -> None:
    ids = _Ids()
    limits = SpanLimits(
        max_span_attributes=LIMITS["attributes"], max_events=LIMITS["events"], max_links=LIMITS["links"]
    )
    provider = TracerProvider(resource=resource, id_generator=ids, span_limits=limits, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer(SCOPE["name"], SCOPE["version"], SCOPE["schema_url"], SCOPE["attributes"])
    for span in SAID["spans"]:
        ids.trace_id, ids.span_id = int(span["trace_id"], 16), int(span["span_id"], 16)
        running = tracer.start_span(
            span["name"],
            _parent(span),
            SpanKind[span["kind"].upper()],
            span["attributes"] | span.get("any_attributes", {}),
            [Link(_span_context(link), link["attributes"]) for link in span["links"]],
            int(span["start"]),
        )
        for event in span["events"]:
            running.add_event(event["name"], event["attributes"], int(event["time"]))
        running.set_status(Status(StatusCode[span["status"]["code"].upper()], span["status"].get("message")))
        running.end(int(span["end"]))
    provider.shutdown()


def _logs(resource: Resource, exporter: Any) -> None:
    limits = LogRecordLimits(max_log_record_attributes=LIMITS["attributes"])
    provider = LoggerProvider(resource=resource, log_record_limits=limits, shutdown_on_exit=False)
    provider.add_log_record_processor(BatchLogRecordProcessor(exporter))
    logger = provider.get_logger(SCOPE["name"], SCOPE["version"], SCOPE["schema_url"], SCOPE["attributes"])
    for record in SAID["logs"]:
        logger.emit(
            LogRecord(
                timestamp=int(record["time"]),
                observed_timestamp=int(record["observed"]),
                context=_within(record["context"]) if "context" in record else Context(),
                severity_number=SeverityNumber(record["severity_number"]),
                severity_text=record["severity_text"],
                event_name=record.get("event_name"),
                body=record["body"],
                attributes=record["attributes"],
            )
        )
    provider.shutdown()


def _aggregation(instrument: dict[str, Any]) -> Aggregation:
    if "exponential" in instrument:
        return ExponentialBucketHistogramAggregation(max_size=instrument["exponential"]["max_size"])
    if "boundaries" in instrument:
        return ExplicitBucketHistogramAggregation(boundaries=instrument["boundaries"])
    return DefaultAggregation()


def _view(instrument: dict[str, Any]) -> View:
    kept = set(instrument["attributes"]) if "left_out" in instrument else None
    return View(instrument_name=instrument["name"], attribute_keys=kept, aggregation=_aggregation(instrument))


def _metrics(resource: Resource, temporality: str, exporter: Any) -> None:
    instruments = SAID["metrics"]["instruments"]
    reader = PeriodicExportingMetricReader(exporter, math.inf)
    views = [_view(instrument) for instrument in instruments]
    provider = MeterProvider([reader], resource, shutdown_on_exit=False, views=views)
    meter = provider.get_meter(
        f"{SCOPE['name']}.{temporality}", SCOPE["version"], SCOPE["schema_url"], SCOPE["attributes"]
    )
    number = 0

    def observe(instrument: dict[str, Any]) -> Callable[[CallbackOptions], list[Observation]]:
        return lambda _: [Observation(instrument["rounds"][number][0], instrument["attributes"])]

    recorders: list[tuple[dict[str, Any], Callable[..., None]]] = []
    for instrument in instruments:
        make = getattr(meter, f"create_{instrument['instrument']}")
        words = {"unit": instrument["unit"], "description": instrument["description"]}
        if instrument["instrument"].startswith("observable"):
            make(instrument["name"], callbacks=[observe(instrument)], **words)
            continue
        made = make(instrument["name"], **words)
        recorders.append((instrument, getattr(made, RECORD.get(instrument["instrument"], "add"))))
    within = _within(SAID["metrics"]["context"])
    for number in range(2):
        for instrument, record in recorders:
            for value in instrument["rounds"][number]:
                record(value, instrument["attributes"] | instrument.get("left_out", {}), within)
        assert provider.force_flush()
    provider.shutdown()
