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

PROTOBUF = "application/x-protobuf"
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
    """An answer of either transport: HTTP's status, or what corresponds to it, and the text of the reason."""

    status: int
    text: str = ""


class Victim:
    """A pipeline with an HTTP and a gRPC receiver before it."""

    def __init__(self, store: Store, url: str, channel: grpc.Channel) -> None:
        self.store = store
        self.url = url
        self.seen: set[bytes] = set()
        self._channel = channel

    def send(self, transport: str, signal: Signal, body: bytes) -> Answer:
        """The answer to a protobuf body over "http" or "grpc"."""
        return self.http(signal, body) if transport == "http" else self.grpc(signal, body)

    def http(self, signal: Signal, body: bytes, media_type: str = PROTOBUF, encoding: str = "") -> Answer:
        """The answer to a body of a media type; errors come in that type, as OTLP wants it."""
        headers = {"Content-Type": media_type, **({"Content-Encoding": encoding} if encoding else {})}
        answer = httpx.post(f"{self.url}/v1/{signal}", content=body, headers=headers, timeout=60)
        if answer.status_code == 200:
            return Answer(200)
        if answer.headers["content-type"] == PROTOBUF:
            return Answer(answer.status_code, Status.FromString(answer.content).message)
        return Answer(answer.status_code, str(answer.json()["message"]))

    def export(self, signal: Signal, body: bytes) -> tuple[Answer, int]:
        """The answer over HTTP to a protobuf body, and how many of its items were refused."""
        headers = {"Content-Type": PROTOBUF}
        answer = httpx.post(f"{self.url}/v1/{signal}", content=body, headers=headers, timeout=60)
        if answer.status_code != 200:
            return Answer(answer.status_code, Status.FromString(answer.content).message), 0
        response = RESPONSES[signal].FromString(answer.content)
        refused = sum(value for field, value in response.partial_success.ListFields() if field.number == 1)
        return Answer(200, response.partial_success.error_message), refused

    def grpc(self, signal: Signal, body: bytes, **options: object) -> Answer:
        """The answer to a message of these bytes."""
        method = f"/opentelemetry.proto.collector.{SERVICES[signal]}/Export"
        try:
            self._channel.unary_unary(method)(body, timeout=60, **options)
        except grpc.RpcError as error:
            return Answer(STATUSES[error.code()], str(error.details()))
        return Answer(200)

    def count(self, table: str = "otel_traces") -> int:
        """Rows of a table."""
        return int(self.store.arrow_text(f"SELECT count() AS n FROM {table}")["n"][0].as_py())

    def one(self, sql: str) -> dict[str, object]:
        """The only row of a query."""
        (row,) = self.store.arrow_text(sql).to_pylist()
        return dict(row)

    def works(self) -> bool:
        """Whether a good request is stored."""
        before = self.count()
        body = serialized(busy_request(random.Random(), 3))
        return self.http(Signal.TRACES, body) == Answer(200) and self.count() == before + 3


@contextmanager
def attackable(store: Store, **changes: object) -> Iterator[Victim]:
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
            yield Victim(store, url, channel)
        assert pipeline.stats()["inflight_bytes"] == 0
    finally:
        pipeline.stop()
