"""The demo's hour as OTLP requests, and the same hour in another order, at another time and with other names."""

from __future__ import annotations

import gzip
import http.server
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.demo.play import play
from ingest.envelope import Signal
from store import Store
from tests.kit.landing import insert

END = 1_772_445_600 * 10**9
"""When the hour ends, in nanoseconds: on the full hour, and so on every grid that windows and buckets have."""

Request = tuple[Signal, bytes]

_SIGNALS = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.METRICS}
_MESSAGES: dict[Signal, Callable[[], Message]] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}


def requests() -> list[Request]:
    """Every export request of the demo's hour, ending at END, in the order in which they arrived."""
    taken: list[Request] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            plain = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            taken.append((_SIGNALS[self.path], plain))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        play(f"http://127.0.0.1:{server.server_port}", lambda _share, _simulated: None, END)
        server.shutdown()
    return taken


def land(store: Store, taken: Sequence[Request], batch: int = 1, tenant: str = "default") -> None:
    """Insert the requests, one batch for each signal."""
    for signal in _MESSAGES:
        if bodies := [body for kind, body in taken if kind is signal]:
            insert(store, signal, *bodies, batch=batch, tenant=tenant)


def shuffled(taken: Sequence[Request], seed: int) -> list[Request]:
    """The same records in another order: requests, resources, scopes, records and points."""
    chance = random.Random(seed)

    def shuffle(message: Message) -> None:
        for field, value in message.ListFields():
            # The order of attributes and bounds is theirs; that of records nobody's.
            if field.name in _LISTS and len(value) > 1:
                items = list(value)
                chance.shuffle(items)
                copies = [type(item).FromString(item.SerializeToString()) for item in items]
                message.ClearField(field.name)
                getattr(message, field.name).extend(copies)

    mixed = [_changed(request, shuffle) for request in taken]
    chance.shuffle(mixed)
    return mixed


_LISTS = {
    "resource_spans", "resource_logs", "resource_metrics", "scope_spans", "scope_logs", "scope_metrics", "spans",
    "log_records", "metrics", "data_points",
}  # fmt: skip


def moved(taken: Sequence[Request], by: int) -> list[Request]:
    """The same records `by` nanoseconds later."""

    def later(message: Message) -> None:
        for field, value in message.ListFields():
            if field.name.endswith("time_unix_nano"):
                setattr(message, field.name, value + by)

    return [_changed(request, later) for request in taken]


def renamed(taken: Sequence[Request], other: dict[str, str]) -> list[Request]:
    """The same records with other names, each as long as its own: lengths inside of the bytes stay right."""
    assert all(len(name) == len(new) for name, new in other.items())
    changed = []
    for signal, body in taken:
        for name, new in other.items():
            body = body.replace(name.encode(), new.encode())
        changed.append((signal, body))
    return changed


def _changed(request: Request, change: Callable[[Message], None]) -> Request:
    signal, body = request
    message = _MESSAGES[signal]()
    message.ParseFromString(body)
    for part in _parts(message):
        change(part)
    return signal, message.SerializeToString(deterministic=True)


def _parts(message: Any) -> Iterator[Message]:
    """The message and every message inside of it that is not an attribute, innermost last."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or field.name in ("attributes", "body", "resource", "scope"):
            continue
        for item in value if isinstance(value, Sequence) or hasattr(value, "add") else (value,):
            yield from _parts(item)
