"""OTLP/gRPC over real sockets: OpenTelemetry's exporters, and the code of every way a call can go wrong."""

from __future__ import annotations

import asyncio
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2_grpc import LogsServiceStub
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import MetricsServiceStub
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import TraceServiceStub
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ingest import errors
from ingest.access import Lookup, Sender
from ingest.budget import Hold
from ingest.envelope import Signal
from ingest.errors import Forbidden, IngestError, Unauthenticated
from ingest.grpc_server import Exports
from ingest.outcome import STORED, Outcome
from ingest.pipeline import Pipeline
from ingest.remote_write_landing import Version
from ingest.settings import IngestSettings
from store import Store
from tests.kit.fill import filled
from tests.kit.otlp import T0, busy_request, logs, metrics, serialized, traces
from tests.kit.serving import serving_grpc

LIMIT = 200_000
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
# https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response; RESOURCE_EXHAUSTED is one only with RetryInfo.
RETRYABLE = {
    grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS,
}  # fmt: skip


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    settings = IngestSettings(max_body_bytes=LIMIT, max_inflight_bytes=2 * LIMIT, body_timeout_s=0.5)
    running = Pipeline(store, settings.model_copy(update={"commit_timeout_s": 20}))
    running.start()
    yield running
    running.stop()


@pytest.fixture
def channel(pipeline: Pipeline) -> Iterator[grpc.Channel]:
    with serving_grpc(lambda: Exports(pipeline), LIMIT) as address, grpc.insecure_channel(address) as opened:
        yield opened


class Answering(Pipeline):
    """A pipeline that stores nothing and answers everything in one way."""

    def __init__(self, store: Store, answer: Outcome | Exception) -> None:
        super().__init__(store, IngestSettings(max_body_bytes=LIMIT))
        self.answer = answer
        self.asked = 0

    async def submit(self, signal: Signal | Version, body: bytes, hold: Hold) -> Outcome:
        self.asked += 1
        hold.release()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def call(channel: grpc.Channel, body: bytes, method: str = TRACES, **options: Any) -> bytes:
    """The answer's bytes to a message of these bytes."""
    return bytes(channel.unary_unary(method)(body, timeout=10, **options))


def refused(channel: grpc.Channel, body: bytes, method: str = TRACES, **options: Any) -> grpc.RpcError:
    """The error that a call ends with."""
    with pytest.raises(grpc.RpcError) as raised:
        call(channel, body, method, **options)
    return raised.value


def trailers(error: grpc.RpcError) -> dict[str, Any]:
    return dict(error.trailing_metadata())


def details(error: grpc.RpcError) -> Status:
    """The Status in the trailers; it says the same as the call's own code and text."""
    status = Status.FromString(trailers(error)["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    return status


def count(store: Store, table: str) -> int:
    return int(store.arrow_text(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


def test_spans_of_the_sdk(store: Store, pipeline: Pipeline) -> None:
    with serving_grpc(lambda: Exports(pipeline), LIMIT) as address:
        provider = TracerProvider()
        exporter = OTLPSpanExporter(f"http://{address}", insecure=True, compression=grpc.Compression.Gzip)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        provider.get_tracer("shop").start_span("pay", attributes={"amount": 7}).end()
        provider.shutdown()
    assert store.arrow_text("SELECT SpanName FROM otel_traces").to_pylist() == [{"SpanName": "pay"}]


def test_every_signal_over_the_generated_stubs(store: Store, channel: grpc.Channel) -> None:
    TraceServiceStub(channel).Export(busy_request(random.Random(1), 3))  # type: ignore[no-untyped-call]
    LogsServiceStub(channel).Export(logs(LogRecord(time_unix_nano=T0)))  # type: ignore[no-untyped-call]
    point = NumberDataPoint(time_unix_nano=T0, as_int=3)
    request: ExportMetricsServiceRequest = metrics(Metric(name="m", gauge=Gauge(data_points=[point])))
    MetricsServiceStub(channel).Export(request, compression=grpc.Compression.Gzip)  # type: ignore[no-untyped-call]
    assert [count(store, f"otel_{table}") for table in ("traces", "logs", "metrics_gauge")] == [3, 1, 1]


def test_the_same_body_over_and_over_is_stored_once(store: Store, channel: grpc.Channel) -> None:
    body = serialized(busy_request(random.Random(1), 4))
    assert {call(channel, body) for _ in range(3)} == {b""}
    assert count(store, "otel_traces") == 4


def test_many_calls_in_flight_are_each_answered_with_their_own(store: Store, channel: grpc.Channel) -> None:
    bodies = [serialized(busy_request(random.Random(n), 2)) for n in range(64)]
    bodies = [body if n % 8 else body[:-3] for n, body in enumerate(bodies)]
    calls = [channel.unary_unary(TRACES).future(body, timeout=30) for body in bodies]
    codes = [grpc.StatusCode.OK if future.exception() is None else future.exception().code() for future in calls]
    assert codes == [grpc.StatusCode.OK if n % 8 else grpc.StatusCode.INVALID_ARGUMENT for n in range(64)]
    assert count(store, "otel_traces") == 2 * 56


def test_an_empty_message_is_a_success(channel: grpc.Channel) -> None:
    assert call(channel, b"") == b""
    assert call(channel, serialized(traces())) == b""


@pytest.mark.parametrize("body", [b"\xff", b"\x0a\x05abc", random.Random(3).randbytes(400)])
def test_bad_data_is_an_invalid_argument(channel: grpc.Channel, body: bytes) -> None:
    error = refused(channel, body)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    violations = BadRequest()
    assert details(error).details[0].Unpack(violations)
    assert violations.field_violations[0].description == error.details()
    assert "google.rpc.retryinfo-bin" not in trailers(error)


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_message_beyond_the_limit_is_not_to_be_sent_again(
    channel: grpc.Channel, pipeline: Pipeline, compression: grpc.Compression
) -> None:
    error = refused(channel, bytes(LIMIT + 1), compression=compression)
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert not trailers(error)
    assert pipeline.stats()["inflight_bytes"] == 0


def test_no_room_is_unavailable_with_a_short_pause_in_both_trailers(channel: grpc.Channel, pipeline: Pipeline) -> None:
    with filled(pipeline):
        error = refused(channel, serialized(busy_request(random.Random(1), 2)))
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    pauses = [RetryInfo(), RetryInfo.FromString(trailers(error)["google.rpc.retryinfo-bin"])]
    assert details(error).details[0].Unpack(pauses[0])
    assert pauses[0] == pauses[1]
    assert 1 <= pauses[0].retry_delay.seconds <= 3
    assert pipeline.stats()["inflight_bytes"] == 0


@pytest.mark.parametrize(
    "method",
    [
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
        "/opentelemetry.proto.collector.trace.v1.TraceService/Import",
        "/",
    ],
)
def test_what_is_not_spoken_is_unimplemented(channel: grpc.Channel, method: str) -> None:
    assert refused(channel, b"", method).code() is grpc.StatusCode.UNIMPLEMENTED


ERRORS = [
    kind for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, IngestError) and kind is not IngestError
]  # fmt: skip
CODES = {
    "MalformedBody": grpc.StatusCode.INVALID_ARGUMENT,
    "Unauthenticated": grpc.StatusCode.UNAUTHENTICATED,
    "Forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "UnknownPath": grpc.StatusCode.UNIMPLEMENTED,
    "MethodNotAllowed": grpc.StatusCode.UNIMPLEMENTED,
    "BodyTooLarge": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "UnsupportedMedia": grpc.StatusCode.INVALID_ARGUMENT,
    "BodyTimeout": grpc.StatusCode.DEADLINE_EXCEEDED,
    "Overloaded": grpc.StatusCode.UNAVAILABLE,
    "QuotaExceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
}


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_every_error_has_its_code_and_may_be_sent_again_exactly_when_it_says_so(
    store: Store, kind: type[IngestError]
) -> None:
    answering = Answering(store, kind("why " * 4000 + "\ud800"))
    with serving_grpc(lambda: Exports(answering), LIMIT) as address, grpc.insecure_channel(address) as channel:
        error = refused(channel, b"x")
    assert error.code() is CODES[kind.__name__]
    assert details(error).message.startswith("why why")
    assert len(details(error).message.encode()) <= 512
    paused = "google.rpc.retryinfo-bin" in trailers(error)
    assert paused == (kind.status in {429, 503})
    # RESOURCE_EXHAUSTED may be sent again when it comes with a pause.
    assert paused == (error.code() in RETRYABLE) or error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_defect_of_ours_is_internal_and_says_nothing_about_itself(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    answering = Answering(store, KeyError("secret"))
    with serving_grpc(lambda: Exports(answering), LIMIT) as address, grpc.insecure_channel(address) as channel:
        error = refused(channel, b"x")
    assert (error.code(), error.details()) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "secret" in caplog.text


def test_what_was_rejected_is_told_and_stays_below_the_limit_of_answers(store: Store) -> None:
    answering = Answering(store, Outcome(10_000, "a span starts in 2262; " * 400_000))
    with serving_grpc(lambda: Exports(answering), LIMIT) as address, grpc.insecure_channel(address) as channel:
        answer = call(channel, b"x")
        partial = ExportTraceServiceResponse.FromString(answer).partial_success
        assert partial.rejected_spans == 10_000
        assert partial.error_message.startswith("a span starts in 2262")
        assert len(answer) < 4 * 1024 * 1024
        answering.answer = Outcome(0, "times were clamped")
        warned = call(channel, b"x", TRACES.replace(".trace.v1.Trace", ".logs.v1.Logs"))
        assert ExportLogsServiceResponse.FromString(warned).partial_success.error_message == "times were clamped"
        answering.answer = STORED
        assert call(channel, b"x") == b""


@pytest.mark.parametrize("kind", [Unauthenticated, Forbidden])
def test_who_may_not_send_is_told_so_before_the_message_is_read(store: Store, kind: type[IngestError]) -> None:
    answering = Answering(store, STORED)
    keys: list[str] = []

    def check(lookup: Lookup) -> Sender:
        keys.append(lookup("x-key"))
        if keys[-1] != "good":
            raise kind("no")
        return Sender("team")

    with serving_grpc(lambda: Exports(answering, check), LIMIT) as address, grpc.insecure_channel(address) as channel:
        assert call(channel, b"x", metadata=[("x-key", "good")]) == b""
        # A message that is never sent: the answer does not wait for it.
        waiting = channel.stream_unary(TRACES).future(_never(), metadata=[("x-key", "bad")], timeout=10)
        assert waiting.exception().code() is CODES[kind.__name__]
        assert refused(channel, bytes(LIMIT + 1)).code() is CODES[kind.__name__]
    assert keys == ["good", "bad", ""]
    assert answering.asked == 1


def _never() -> Iterator[bytes]:
    time.sleep(3)
    yield b""


def test_a_message_that_never_comes_is_not_waited_for(channel: grpc.Channel, pipeline: Pipeline) -> None:
    started = time.monotonic()
    error = channel.stream_unary(TRACES).future(_never(), timeout=10).exception()
    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert details(error)
    assert time.monotonic() - started < 2
    nothing = channel.stream_unary(TRACES).future(iter(()), timeout=10).exception()
    assert nothing.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert call(channel, b"") == b""
    assert pipeline.stats()["inflight_bytes"] == 0


def test_slow_senders_make_room_for_others(pipeline: Pipeline) -> None:
    pipeline.settings = pipeline.settings.model_copy(update={"body_timeout_s": 10})
    with serving_grpc(lambda: Exports(pipeline), LIMIT) as address, grpc.insecure_channel(address) as channel:
        started = time.monotonic()
        slow = [channel.stream_unary(TRACES).future(_never(), timeout=10) for _ in range(40)]
        assert call(channel, b"") == b""
        assert time.monotonic() - started < 1
        time.sleep(1.1)
        assert call(channel, b"") == b""
        failures = [failure for future in slow if (failure := future.exception())]
        # The others were heard to their end.
        assert len(failures) == 9
        assert {failure.code() for failure in failures} == {grpc.StatusCode.DEADLINE_EXCEEDED}


def test_a_caller_that_hangs_up_loses_nothing(store: Store, channel: grpc.Channel, pipeline: Pipeline) -> None:
    body = serialized(busy_request(random.Random(9), 3))
    future = channel.unary_unary(TRACES).future(body)
    while not pipeline.stats()["inflight_bytes"] and not future.done():
        time.sleep(0.001)
    future.cancel()
    assert call(channel, body) == b""
    assert count(store, "otel_traces") == 3
    assert pipeline.stats()["inflight_bytes"] == 0


def test_calls_under_way_are_answered_before_it_stops(store: Store) -> None:
    class Slow(Answering):
        async def submit(self, signal: Signal | Version, body: bytes, hold: Hold) -> Outcome:
            await asyncio.sleep(0.5)
            return await super().submit(signal, body, hold)

    answering = Slow(store, STORED)
    with serving_grpc(lambda: Exports(answering), LIMIT) as address:
        channel = grpc.insecure_channel(address)
        future = channel.unary_unary(TRACES).future(b"x", timeout=10)
        time.sleep(0.2)
    assert future.result() == b""
    channel.close()


def test_a_connection_that_says_nothing_is_closed(channel: grpc.Channel, pipeline: Pipeline) -> None:
    with serving_grpc(lambda: Exports(pipeline), LIMIT) as address:
        host, port = address.split(":")
        started = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=15) as silent:
            while silent.recv(4096):
                pass
        assert time.monotonic() - started < 10
