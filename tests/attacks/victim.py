"""A receiver to be attacked over every transport, that tells what it answered and what it kept."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import httpx
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.envelope import Signal
from ingest.grpc_server import Exports
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store
from tests.kit.otlp import busy_request, serialized
from tests.kit.serving import serving, serving_grpc

PROTOBUF, JSON = "application/x-protobuf", "application/json"
SERVICES = {Signal.TRACES: "trace.v1.TraceService", Signal.LOGS: "logs.v1.LogsService"}
SERVICES[Signal.METRICS] = "metrics.v1.MetricsService"
RESPONSES: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceResponse,
    Signal.LOGS: ExportLogsServiceResponse,
    Signal.METRICS: ExportMetricsServiceResponse,
}
# What HTTP's statuses are in gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc-response).
STATUSES = {
    grpc.StatusCode.OK: 200,
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.RESOURCE_EXHAUSTED: 413,
    grpc.StatusCode.UNAVAILABLE: 503,
}
LIMIT = 1_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of either transport: HTTP's status, or what corresponds to it, its text, and the items refused."""

    status: int
    text: str = ""
    refused: int = 0


class Victim:
    """A pipeline with an HTTP and a gRPC receiver before it, attacked over one of them."""

    def __init__(self, store: Store, transport: str, url: str, channel: grpc.Channel) -> None:
        self.store = store
        self.transport = transport
        self.url = url
        self.seen: set[bytes] = set()
        self._before = 0
        self._channel = channel

    def send(self, signal: Signal, body: bytes) -> Answer:
        """The answer to a protobuf body."""
        return self.http(signal, body) if self.transport == "http" else self.grpc(signal, body)

    def http(self, signal: Signal, body: bytes, media_type: str = PROTOBUF, encoding: str = "") -> Answer:
        """The answer to a body of a media type; it comes in that type, as OTLP wants it."""
        headers = {"Content-Type": media_type, **({"Content-Encoding": encoding} if encoding else {})}
        answer = httpx.post(f"{self.url}/v1/{signal}", content=body, headers=headers, timeout=60)
        if answer.headers["content-type"] == JSON:
            said = answer.json()
            partial = said.get("partialSuccess", said)
            refused = next((value for name, value in partial.items() if name.startswith("rejected")), 0)
            return Answer(answer.status_code, partial.get("errorMessage", partial.get("message", "")), int(refused))
        if answer.status_code == 200:
            return _success(signal, answer.content)
        return Answer(answer.status_code, Status.FromString(answer.content).message)

    def grpc(self, signal: Signal, body: bytes, **options: object) -> Answer:
        """The answer to a message of these bytes."""
        method = f"/opentelemetry.proto.collector.{SERVICES[signal]}/Export"
        try:
            answer = self._channel.unary_unary(method)(body, timeout=60, **options)
        except grpc.RpcError as error:
            return Answer(STATUSES[error.code()], str(error.details()))
        return _success(signal, answer)

    def start_counting(self) -> None:
        """`stored` is 0 now."""
        self._before = self.count("otel_traces")

    def stored(self) -> int:
        """Spans stored since then."""
        return self.count("otel_traces") - self._before

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.store.arrow_text(f"SELECT count() AS n FROM {table}")["n"][0].as_py())

    def works(self) -> bool:
        """Whether a good request is stored."""
        before = self.count("otel_traces")
        body = serialized(busy_request(random.Random(), 3))
        return self.send(Signal.TRACES, body) == Answer(200) and self.count("otel_traces") == before + 3


def _success(signal: Signal, answer: bytes) -> Answer:
    partial = RESPONSES[signal].FromString(answer).partial_success
    return Answer(200, partial.error_message, sum(value for field, value in partial.ListFields() if field.number == 1))


@contextmanager
def attackable(store: Store, transport: str, **changes: object) -> Iterator[Victim]:
    """A victim until the block ends; afterwards nothing may be in flight."""
    defaults = {"max_body_bytes": LIMIT, "commit_timeout_s": 60}
    pipeline = Pipeline(store, IngestSettings(**{**defaults, **changes}))  # type: ignore[arg-type]
    pipeline.start()
    try:
        with (
            serving(create_app(pipeline)) as url,
            serving_grpc(lambda: Exports(pipeline), pipeline.settings.max_body_bytes) as address,
            grpc.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel,
        ):
            yield Victim(store, transport, url, channel)
        assert pipeline.stats()["inflight_bytes"] == 0
    finally:
        pipeline.stop()
