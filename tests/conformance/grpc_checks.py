"""Checks over gRPC."""

from __future__ import annotations

import random
import threading

import grpc
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.envelope import Signal
from ingest.errors import Forbidden, Unauthenticated
from ingest.outcome import Outcome
from tests.conformance.http_checks import not_utf8, request
from tests.conformance.requirements import over_grpc
from tests.conformance.target import ERRORS, LIMIT, METHODS, Target
from tests.kit.fill import filled
from tests.kit.otlp import serialized, traces

OK = grpc.StatusCode.OK
# https://opentelemetry.io/docs/specs/otlp/#failures-1
RETRYABLE = {
    grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS,
}  # fmt: skip


@over_grpc("C01")
def services(target: Target) -> None:
    """Export of each of the three services is OK; other methods, and the service for profiles, are UNIMPLEMENTED."""
    for signal in Signal:
        assert target.call(b"", signal).code is OK
    for method in (
        METHODS[Signal.TRACES].replace("Export", "Import"), METHODS[Signal.TRACES].lower(),
        "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export",
    ):  # fmt: skip
        assert target.call(b"", method=method).code is grpc.StatusCode.UNIMPLEMENTED


@over_grpc("C04")
def codings(target: Target) -> None:
    """One message plain, in gzip and in deflate is stored once."""
    for compression in grpc.Compression:
        assert target.call(request(4, 3), compression=compression).code is OK
    assert target.count("otel_traces") == 3


@over_grpc("C05", "C06")
def success(target: Target) -> None:
    """A stored message, no bytes, and resources without spans are answered with no bytes."""
    for body in (request(5), b"", serialized(traces())):
        assert target.call(body)[:2] == (OK, b"")
    assert target.count("otel_traces") == 2


@over_grpc("C07", "C08", "C14")
def partial_success(target: Target) -> None:
    """The same outcomes as over HTTP come as OK with partial_success, below 4 MiB."""
    for signal, kind, name in (
        (Signal.TRACES, ExportTraceServiceResponse, "rejected_spans"),
        (Signal.LOGS, ExportLogsServiceResponse, "rejected_log_records"),
        (Signal.METRICS, ExportMetricsServiceResponse, "rejected_data_points"),
    ):
        for outcome in (Outcome(2, "why"), Outcome(0, "a warning"), Outcome(10_000, "ä so long " * 900_000)):
            target.pipeline.dictated = outcome
            answer = target.call(b"x", signal)
            partial = kind.FromString(answer.body).partial_success
            assert (answer.code, getattr(partial, name)) == (OK, outcome.rejected)
            assert outcome.message.startswith(partial.error_message.rstrip("…"))
            assert len(partial.error_message) > 2


@over_grpc("C10", "C16")
def bad_data(target: Target) -> None:
    """Garbage, truncated messages and texts that are not UTF-8 are INVALID_ARGUMENT with BadRequest, and nothing is
    stored.
    """
    for body in (request(10)[:-4], random.Random(1).randbytes(300), b"\xff", not_utf8()):
        answer = target.call(body)
        assert answer.code is grpc.StatusCode.INVALID_ARGUMENT
        violations = BadRequest()
        assert answer.details().details[0].Unpack(violations)
        assert violations.field_violations[0].description == answer.text
    assert target.count("otel_traces") == 0


@over_grpc("C12", "C16", "C17")
def overload(target: Target) -> None:
    """With no room for bodies: UNAVAILABLE, with a RetryInfo of 1 to 3 seconds in grpc-status-details-bin and, for
    Python's exporters, in google.rpc.retryinfo-bin.
    """
    with filled(target.pipeline):
        answer = target.call(request(12))
    assert answer.code is grpc.StatusCode.UNAVAILABLE
    pauses = [RetryInfo(), RetryInfo.FromString(answer.trailers["google.rpc.retryinfo-bin"])]
    assert answer.details().details[0].Unpack(pauses[0])
    assert pauses[0] == pauses[1]
    assert 1 <= pauses[0].retry_delay.seconds <= 3


@over_grpc("C13", "C17")
def sizes(target: Target) -> None:
    """One byte too many, and 64 MiB of zeros in gzip: RESOURCE_EXHAUSTED without RetryInfo, nothing held."""
    for body, compression in (
        (bytes(LIMIT + 1), grpc.Compression.NoCompression),
        (bytes(64 * 1024 * 1024), grpc.Compression.Gzip),
    ):
        answer = target.call(body, compression=compression)
        assert answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert not {"grpc-status-details-bin", "google.rpc.retryinfo-bin"} & answer.trailers.keys()
    assert target.pipeline.stats()["inflight_bytes"] == 0


@over_grpc("C11", "C18")
def every_error(target: Target) -> None:
    """Every error there is: its code, the same in the Status of the trailers, is retryable or comes with RetryInfo
    exactly if the error is 429 or 503 over HTTP; none is UNKNOWN, and a defect is INTERNAL, without its text.
    """
    for kind in ERRORS:
        target.pipeline.dictated = kind("this is why")
        answer = target.call(b"x")
        assert (answer.code.value[0], answer.text) == (kind.code, "this is why")
        assert (answer.details().code, answer.details().message) == (kind.code, "this is why")
        paused = "google.rpc.retryinfo-bin" in answer.trailers
        again = answer.code in RETRYABLE or (answer.code is grpc.StatusCode.RESOURCE_EXHAUSTED and paused)
        assert again == paused == (kind.status in {429, 503})
        assert answer.code not in {grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL}
    target.pipeline.dictated = KeyError("secret")
    assert target.call(b"x")[::2] == (grpc.StatusCode.INTERNAL, "internal error")


@over_grpc("C19")
def in_flight(target: Target) -> None:
    """64 calls at once on one connection, every eighth of them truncated: each is answered with its own code."""
    bodies = [request(1900 + n)[: None if n % 8 else -3] for n in range(64)]
    calls = [target.channel.unary_unary(METHODS[Signal.TRACES]).future(body, timeout=30) for body in bodies]
    for number, future in enumerate(calls):
        failure = future.exception()
        assert (failure is None) == bool(number % 8)
        assert failure is None or failure.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert target.count("otel_traces") == 2 * 56


@over_grpc("C26")
def sent_again(target: Target) -> None:
    """One message three times over gRPC and once over HTTP is stored once."""
    for _ in range(3):
        assert target.call(request(26)).code is OK
    assert target.post(request(26)).status_code == 200
    assert target.count("otel_traces") == 2


@over_grpc("C27")
def unknown_fields(target: Target) -> None:
    """A message with a field 1000 is OK and stored."""
    assert target.call(request(27) + b"\xc2\x3e\x03abc").code is OK
    assert target.count("otel_traces") == 2


@over_grpc("C28")
def keys(target: Target) -> None:
    """UNAUTHENTICATED and PERMISSION_DENIED, without RetryInfo, come after the metadata alone."""
    owed = threading.Event()

    def never() -> object:
        owed.wait(10)
        yield b""

    for kind, code in (
        (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED), (Forbidden, grpc.StatusCode.PERMISSION_DENIED),
    ):  # fmt: skip
        target.refuse = kind
        call = target.channel.stream_unary(METHODS[Signal.TRACES]).future(never(), timeout=8)
        failure = call.exception()
        assert failure.code() is code
        assert "google.rpc.retryinfo-bin" not in dict(failure.trailing_metadata())
    owed.set()
