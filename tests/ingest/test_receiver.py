"""The receiver over real HTTP: OpenTelemetry's own exporters, the protocol's own examples, and what attackers send."""

from __future__ import annotations

import gzip
import json
import random
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import StatusCode

from ingest.envelope import Signal
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store
from tests.conformance.target import JSON, Target
from tests.conformance.target import serving as target_over
from tests.kit.fill import filled
from tests.kit.otlp import SECOND, T0, busy_request, deep_request, google_form, serialized
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
        answer = httpx.post(f"{url}/v1/traces", content=content, headers=headers, timeout=60)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-type"] == "application/x-protobuf"
    assert one(store, "SELECT count() AS n FROM otel_traces") == {"n": 4}


def test_a_body_beyond_the_limit_is_too_large_declared_or_not(url: str) -> None:
    for content in (bytes(100_001), iter([bytes(60_000), bytes(60_000)])):
        answer = httpx.post(f"{url}/v1/logs", content=content, headers=PROTOBUF, timeout=60)
        assert answer.status_code == 413
        assert Status.FromString(answer.content).code == 8


def test_no_room_is_503_with_a_short_pause(url: str, pipeline: Pipeline) -> None:
    with filled(pipeline):
        answer = httpx.post(f"{url}/v1/logs", content=bytes(5_000), headers=PROTOBUF, timeout=60)
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    assert Status.FromString(answer.content).code == 14
    assert pipeline.stats()["inflight_bytes"] == 0


def test_a_body_that_never_comes_times_out_and_frees_its_room(url: str, pipeline: Pipeline) -> None:
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        fields = ("Host: x", "Content-Type: application/x-protobuf", "Content-Length: 9000", "", "x" * 100)
        slow.sendall("\r\n".join(("POST /v1/traces HTTP/1.1", *fields)).encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 503")
    assert pipeline.stats()["inflight_bytes"] == 0


@pytest.fixture
def target(store: Store) -> Iterator[Target]:
    with target_over(store) as serving_both:
        yield serving_both


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"\x0a" + b"\xff" * 11, 400),
        (b"\x08" + b"\x80" * 10 + b"\x01", 400),
        (b"\x0a" + b"\x80" * 9 + b"\x01", 400),
        (b"\x0a" + b"\xff" * 8 + b"\x3f", 400),
        (b"\x0f", 400),
        (b"\x0b", 400),
        (b"\x0c", 400),
        (b"\x08\x05", 400),
        (b"\xc3\x3e" * 50_000 + b"\xc4\x3e" * 50_000, 400),
        (b"\xc3\x3e\xc4\x3e", 200),
    ],
    ids=[
        "varint of 11 bytes", "varint of 11 bytes as a value", "length 2^63", "length 2^62", "wire type 7",
        "open group", "end of no group", "wrong wire type", "deep groups", "unknown group",
    ],
)  # fmt: skip
def test_malformed_protobuf_is_refused_over_both_transports(target: Target, body: bytes, code: int) -> None:
    assert target.post(body).status_code == code
    assert (target.call(body).code is grpc.StatusCode.OK) == (code == 200)


@pytest.mark.parametrize(("levels", "code"), [(32, 200), (33, 400), (50, 400), (1_000, 400), (5_000, 400)])
def test_values_nested_too_deep_are_refused_in_every_encoding(target: Target, levels: int, code: int) -> None:
    value = b'{"arrayValue":{"values":[' * levels + b'{"stringValue":"x"}' + b"]}}" * levels
    document = b'{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":' + value + b"}]}}]}"
    assert target.post(document, media=JSON).status_code == code
    assert target.post(deep_request(levels)).status_code == code
    assert (target.call(deep_request(levels)).code is grpc.StatusCode.OK) == (code == 200)


@pytest.mark.parametrize("name", ["trace", "logs", "events", "metrics"])
def test_the_protocols_examples_are_one_request_in_three_encodings(target: Target, shared: Path, name: str) -> None:
    text = (shared / "suites/otlp/opentelemetry-proto/examples" / f"{name}.json").read_bytes()
    signal = {"trace": Signal.TRACES, "metrics": Signal.METRICS}.get(name, Signal.LOGS)
    kinds: dict[Signal, type[Message]] = {
        Signal.TRACES: ExportTraceServiceRequest,
        Signal.METRICS: ExportMetricsServiceRequest,
        Signal.LOGS: ExportLogsServiceRequest,
    }
    body = serialized(json_format.ParseDict(google_form(json.loads(text)), kinds[signal]()))
    assert target.post(text, signal, JSON).status_code == 200
    assert target.post(body, signal).status_code == 200
    assert target.call(body, signal).code is grpc.StatusCode.OK
    # The receiver stores a body once: the three were the same bytes, and so the same rows.
    stats = target.pipeline.stats()
    assert (stats["requests"], stats["duplicates"]) == (1, 2)


def test_large_json_does_not_hold_up_others(store: Store) -> None:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=30))
    pipeline.start()
    fields = {"startTimeUnixNano": T0, "endTimeUnixNano": T0 + SECOND, "attributes": [{"key": "k"}] * 9}
    spans = [{"traceId": f"{n + 1:032x}", "spanId": f"{n + 1:016x}", **fields} for n in range(20_000)]
    document = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
    with serving(create_app(pipeline)) as base, ThreadPoolExecutor(1) as pool, httpx.Client() as client:
        headers = {"Content-Type": "application/json"}
        large = pool.submit(httpx.post, f"{base}/v1/traces", content=document, headers=headers, timeout=60)
        answered = 0
        while not large.done():
            assert client.post(f"{base}/v1/traces", headers=PROTOBUF, timeout=60).status_code == 200
            answered += 1
        assert large.result().status_code == 200
    pipeline.stop()
    assert answered > 10
    assert one(store, "SELECT count() AS n FROM otel_traces") == {"n": 20_000}
