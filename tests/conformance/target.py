"""The receiver under test: both listeners over one real pipeline, whose answer can be dictated."""

from __future__ import annotations

import gzip
import json
import socket
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import grpc
import httpx
import zstandard
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from api.process.connections import Gate
from api.process.listener import Listener, bind
from ingest import errors
from ingest.access import Lookup, Sender, anyone
from ingest.answers import refusal
from ingest.budget import Hold
from ingest.envelope import Signal
from ingest.errors import IngestError
from ingest.grpc_server import Exports
from ingest.outcome import Outcome
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.remote_write_landing import Version
from ingest.settings import IngestSettings
from store import Store
from tests.kit.serving import serving_grpc

LIMIT = 200_000
PROTOBUF, JSON = "application/x-protobuf", "application/json"
METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
# Every error that a request can be answered with.
ERRORS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, IngestError) and kind is not IngestError
]


class Dictated(Pipeline):
    """A pipeline that stores, unless an answer is dictated."""

    dictated: Outcome | Exception | None = None

    async def submit(self, kind: Signal | Version, body: bytes, hold: Hold) -> Outcome:
        if self.dictated is None:
            return await super().submit(kind, body, hold)
        hold.release()
        if isinstance(self.dictated, Exception):
            raise self.dictated
        return self.dictated


class Answer(NamedTuple):
    """What a call ended with."""

    code: grpc.StatusCode
    body: bytes
    text: str
    trailers: dict[str, Any]

    def details(self) -> Status:
        """The Status in the trailers."""
        return Status.FromString(self.trailers["grpc-status-details-bin"])


class Target:
    """A receiver to send to."""

    def __init__(self, pipeline: Dictated, store: Store) -> None:
        self.pipeline = pipeline
        self.store = store
        self.refuse: type[IngestError] | None = None
        self.url = self.address = ""
        self.channel: grpc.Channel
        self.http = httpx.Client(timeout=20)

    def authorize(self, lookup: Lookup) -> Sender:
        """Refuses everybody when told to."""
        if self.refuse is not None:
            raise self.refuse(f"the key {len(lookup('authorization')) * '*'} will not do")
        return anyone(lookup)

    def post(
        self, body: Any, signal: Signal = Signal.TRACES, media: str | None = PROTOBUF, **headers: str
    ) -> httpx.Response:
        """POST bytes, an iterator of bytes, or anything else as JSON."""
        content = body if isinstance(body, bytes | Iterator) else json.dumps(body).encode()
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        if media is not None:
            fields["content-type"] = media
        return self.http.post(f"{self.url}/v1/{signal}", content=content, headers=fields)

    def call(self, body: bytes, signal: Signal = Signal.TRACES, method: str = "", **options: Any) -> Answer:
        """Call a method with a message of these bytes."""
        call = self.channel.unary_unary(method or METHODS[signal])
        try:
            return Answer(grpc.StatusCode.OK, call(body, timeout=20, **options), "", {})
        except grpc.RpcError as error:
            return Answer(error.code(), b"", error.details(), dict(error.trailing_metadata()))

    def connected(self) -> socket.socket:
        """A connection to the HTTP port."""
        host, port = self.url.removeprefix("http://").split(":")
        return socket.create_connection((host, int(port)), timeout=10)

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """Rows of a query."""
        return list(self.store.arrow_text(sql).to_pylist())

    def count(self, table: str) -> int:
        """Rows of a table."""
        return int(self.rows(f"SELECT count() AS n FROM {table}")[0]["n"])


def status_of(response: httpx.Response) -> Status:
    """The Status in the body, read as the media type says."""
    if response.headers["content-type"] == JSON:
        return json_format.Parse(response.content, Status())
    assert response.headers["content-type"] == PROTOBUF
    return Status.FromString(response.content)


def bomb(coding: str, size: int) -> bytes:
    """Zeros, compressed."""
    if coding == "zstd":
        return zstandard.ZstdCompressor().compress(bytes(size))
    return gzip.compress(bytes(size), 9) if coding == "gzip" else zlib.compress(bytes(size), 9)


@contextmanager
def serving(store: Store) -> Iterator[Target]:
    """A target over `store`, ready to be sent to."""
    settings = IngestSettings(
        max_body_bytes=LIMIT, max_json_bytes=LIMIT, max_inflight_bytes=2 * LIMIT, body_timeout_s=2, commit_timeout_s=20
    )
    pipeline = Dictated(store, settings)
    target = Target(pipeline, store)
    with ExitStack() as undo:
        undo.callback(pipeline.stop)
        pipeline.start()
        listener = Listener(
            bind("127.0.0.1", 0, "tests", ""),
            "test",
            lambda: create_app(pipeline, target.authorize),
            Gate(render=refusal),
        )
        undo.callback(listener.stop)
        listener.start()
        address = undo.enter_context(serving_grpc(lambda: Exports(pipeline, target.authorize), LIMIT))
        target.url, target.address = listener.url, address
        target.channel = undo.enter_context(grpc.insecure_channel(address))
        undo.enter_context(target.http)
        yield target
