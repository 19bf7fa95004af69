"""The demo's hour as OTLP requests and as frames: telemetry of a whole small platform with one known fault."""

from __future__ import annotations

import gzip
import http.server
import threading
from dataclasses import dataclass

import polars as pl

from api.demo import story
from api.demo.play import play
from correlate.frames import FRAMES, Frames, load
from correlate.signals import TIME
from ingest.envelope import Signal
from store import Store, Window
from tests.kit.landing import insert

END = 1_772_445_600 * 10**9
"""When the hour ends, in nanoseconds: on the full hour, and so on every grid that windows and buckets have."""

_SIGNALS = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS, "/v1/metrics": Signal.METRICS}
_START = END - int((story.BEFORE_S + story.AFTER_S + 120) * 1e9)

Request = tuple[Signal, bytes]


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


def land(store: Store, taken: list[Request], batch: int = 1, tenant: str = "default") -> None:
    """Insert the requests, one batch for each signal."""
    for signal in _SIGNALS.values():
        if bodies := [body for kind, body in taken if kind is signal]:
            insert(store, signal, *bodies, batch=batch, tenant=tenant)


@dataclass(frozen=True, slots=True)
class Telemetry:
    """All frames of the hour, collected, from `start` to `end` (nanoseconds)."""

    tables: dict[str, pl.DataFrame]
    start: int = _START
    end: int = END

    @classmethod
    def stored(cls, store: Store, tenant: str = "default") -> Telemetry:
        """What `store` has of the hour."""
        found = load(store, tenant, Window(_START, END), 0.0)
        return cls({name: found[name].collect() for name in FRAMES})

    def frames(self, window: Window, history_s: float) -> Frames:
        """What a pass over `window` would load: rows of the window and the history before it."""
        since = window.start - int(history_s * 1e9)
        inside = pl.col("time").is_between(pl.lit(since).cast(TIME), pl.lit(window.end).cast(TIME), closed="left")
        tables = {
            name: (table.filter(inside) if "time" in table.columns else table).lazy()
            for name, table in self.tables.items()
        }
        return Frames(window, since, tables)
