"""The whole receiver in this process, asked many things at once, and what it must answer."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

from ingest.envelope import Signal
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store, StoreSettings, migrate
from store.batches import TABLES
from tests.kit.otlp import busy_request, serialized

ALLOWED = frozenset({200, 204, 400, 413, 415})
PROTOBUF = {"content-type": "application/x-protobuf"}
_AT_ONCE = 64
_EMPTIED_EVERY = 50
_TWO_YEARS_S = 2 * 365 * 86_400

Ask = tuple[str, dict[str, str], bytes]


class Broken(Exception):
    """An answer that nobody should get."""


class Target:
    """Collects requests and sends them together, as clients do; requests join inserts as they do in service."""

    def __init__(self) -> None:
        # In memory: what is tested is decoding, and every batch is flushed several times.
        memory = Path("/dev/shm")
        self._directory = tempfile.mkdtemp(dir=memory if memory.is_dir() else None)
        self._store = Store.open(StoreSettings.embedded(self._directory))
        migrate.apply(self._store)
        # A part for each day of two thousand years would be the engine's test, and slow.
        settings = IngestSettings(
            max_body_bytes=2**20, commit_timeout_s=600, max_age_s=_TWO_YEARS_S, min_free_bytes=0, min_free_ratio=0
        )
        self._pipeline = Pipeline(self._store, settings)
        self._pipeline.start()
        self._app = create_app(self._pipeline)
        self._loop = asyncio.new_event_loop()
        self._waiting: list[Ask] = []
        self._rounds = 0
        self.statuses: Counter[int] = Counter()

    def ask(self, path: str, headers: dict[str, str], body: bytes) -> None:
        """Send a request, now or with the next ones. Raises Broken for what a client should never get."""
        self._waiting.append((path, headers, body))
        if len(self._waiting) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        asks, self._waiting = self._waiting, []
        answers = self._loop.run_until_complete(self._together(asks))
        for (path, headers, body), (status, answer) in zip(asks, answers, strict=True):
            self.statuses[status] += 1
            if status not in ALLOWED:
                raise Broken(f"{status} {answer!r} for POST {path} {headers} {body.hex()}")
        self._rounds += 1
        if self._rounds % _EMPTIED_EVERY == 0:
            self.examine()
            for table in TABLES:
                self._store.command(f"TRUNCATE TABLE {table}")

    def examine(self) -> None:
        """A good request is still stored, and nothing is held. Raises Broken."""
        body = serialized(busy_request(random.Random(), 3))
        before = self._spans()
        ((status, _),) = self._loop.run_until_complete(self._together([(f"/v1/{Signal.TRACES}", PROTOBUF, body)]))
        held = self._pipeline.stats()["inflight_bytes"]
        if (status, self._spans() - before, held) != (200, 3, 0):
            raise Broken(f"a good request got {status}, {self._spans() - before} spans of 3, {held} bytes held")

    def close(self) -> None:
        """Stop, and say what the answers were."""
        if self._waiting:
            self.flush()
        self.examine()
        self._pipeline.stop()
        self._store.close()
        shutil.rmtree(self._directory, ignore_errors=True)
        print(f"answers: {dict(sorted(self.statuses.items()))}", flush=True)  # noqa: T201

    def _spans(self) -> int:
        return int(self._store.arrow_text("SELECT count() AS n FROM otel_traces")["n"][0].as_py())

    async def _together(self, asks: list[Ask]) -> list[tuple[int, bytes]]:
        return list(await asyncio.gather(*(self._one(*each) for each in asks)))

    async def _one(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Status and body of the answer; 0 when there was none."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
        }
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        # A defect is answered 500 first, which is what counts, and raised again for the server's log.
        with contextlib.suppress(Exception):
            await self._app(scope, receive, send)
        return int(sent[0]["status"]) if sent else 0, b"".join(part.get("body", b"") for part in sent[1:])
