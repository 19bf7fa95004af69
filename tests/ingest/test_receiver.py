"""The receiver over real HTTP: OpenTelemetry's own exporters, and every status it answers with."""

from __future__ import annotations

import gzip
import random
import socket
from collections.abc import Iterator

import httpx
import pytest
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store
from tests.kit.otlp import busy_request, serialized
from tests.kit.serving import serving

PROTOBUF = {"Content-Type": "application/x-protobuf"}
RESOURCE = Resource.create({"service.name": "checkout", "k8s.pod.name": "checkout-0", "replicas": 3})


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    settings = IngestSettings(max_body_bytes=100_000, max_inflight_bytes=150_000, body_timeout_s=0.5)
    running = Pipeline(store, settings)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def url(pipeline: Pipeline) -> Iterator[str]:
    with serving(create_app(pipeline)) as base:
        yield base


def one(store: Store, sql: str) -> dict[str, object]:
    (row,) = store.arrow_text(sql).to_pylist()
    return dict(row)


def test_spans_of_the_sdk(store: Store, url: str) -> None:
    provider = TracerProvider(resource=RESOURCE)
    exporter = OTLPSpanExporter(f"{url}/v1/traces", compression=Compression.Gzip)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("shop", "1.0").start_as_current_span("pay", attributes={"amount": 7, "ok": True}) as span:
        span.add_event("charged", {"card": "visa"})
        span.set_status(StatusCode.ERROR, "declined")
    provider.shutdown()
    row = one(store, "SELECT * FROM otel_traces")
    assert (row["ServiceName"], row["SpanName"], row["StatusCode"], row["StatusMessage"]) == (
        "checkout", "pay", "Error", "declined",
    )  # fmt: skip
    assert dict(row["SpanAttributes"]) == {"amount": "7", "ok": "true"}  # type: ignore[call-overload]
    assert row["Events.Name"] == ["charged"]


def test_logs_of_the_sdk(store: Store, url: str) -> None:
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs")))
    record = LogRecord(
        timestamp=1_772_438_400_000_000_000, severity_number=SeverityNumber.WARN, body={"disk": [1, "x"]}
    )
    provider.get_logger("kernel").emit(record)
    provider.shutdown()
    row = one(store, "SELECT Body, SeverityNumber, ServiceName FROM otel_logs")
    assert row == {"Body": '{"disk":[1,"x"]}', "SeverityNumber": 13, "ServiceName": "checkout"}


def test_metrics_of_the_sdk_of_every_kind_it_makes(store: Store, url: str) -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics"), export_interval_millis=60_000)
    views = [View(instrument_name="size", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], RESOURCE, views=views)
    meter = provider.get_meter("shop")
    meter.create_counter("orders").add(5, {"kind": "book"})
    meter.create_histogram("latency").record(0.25)
    meter.create_histogram("size").record(1000)
    meter.create_gauge("queue").set(12)
    provider.shutdown()
    for table, name in (
        ("sum", "orders"), ("histogram", "latency"), ("exponential_histogram", "size"), ("gauge", "queue"),
    ):  # fmt: skip
        assert one(store, f"SELECT MetricName FROM otel_metrics_{table}") == {"MetricName": name}
    assert one(store, "SELECT Value, IsMonotonic FROM otel_metrics_sum") == {"Value": 5.0, "IsMonotonic": True}


def test_the_same_body_twice_is_stored_once(store: Store, url: str) -> None:
    body = serialized(busy_request(random.Random(1), 4))
    packed = {**PROTOBUF, "Content-Encoding": "gzip"}
    for content, headers in ((body, PROTOBUF), (gzip.compress(body), packed), (body, PROTOBUF)):
        answer = httpx.post(f"{url}/v1/traces", content=content, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/x-protobuf"
    assert one(store, "SELECT count() AS n FROM otel_traces") == {"n": 4}


def test_a_body_beyond_the_limit_is_too_large_declared_or_not(url: str) -> None:
    for content in (bytes(100_001), iter([bytes(60_000), bytes(60_000)])):
        answer = httpx.post(f"{url}/v1/logs", content=content, headers=PROTOBUF)
        assert answer.status_code == 413
        assert Status.FromString(answer.content).code == 8


def test_no_room_is_503_with_a_short_pause(url: str, pipeline: Pipeline) -> None:
    taken = pipeline.budget.hold()
    taken.resize(149_000)
    answer = httpx.post(f"{url}/v1/logs", content=bytes(5_000), headers=PROTOBUF)
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert Status.FromString(answer.content).code == 14
    taken.release()
    assert pipeline.stats()["inflight_bytes"] == 0


def test_a_body_that_never_comes_times_out_and_frees_its_room(url: str, pipeline: Pipeline) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        fields = ("Host: x", "Content-Type: application/x-protobuf", "Content-Length: 9000", "", "x" * 100)
        slow.sendall("\r\n".join(("POST /v1/traces HTTP/1.1", *fields)).encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 503")
    assert pipeline.stats()["inflight_bytes"] == 0
