"""Writing groups of requests: begun in the ledger, inserted, committed in the ledger, answered.

A group succeeds or fails as one insert. When it fails its rows are deleted first, whatever of them
was written; then requests that can be told apart from the offender are written again without it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from ingest.envelope import envelope
from ingest.errors import MalformedBody, Overloaded
from ingest.groups import Request
from ingest.ledger import Ledger
from ingest.outcome import STORED
from store import Store
from store.errors import DataRejected, QueryFailed, StoreError, TooManyParts

_MALFORMED = "the body is not a valid protobuf request"
_UNAVAILABLE = "telemetry cannot be stored at the moment; try again soon"
_PAUSE_S = 0.5


@dataclass(slots=True)
class Stats:
    """Counts since the start."""

    requests: int = 0
    bytes: int = 0
    duplicates: int = 0
    malformed: int = 0
    unavailable: int = 0
    batches: int = 0
    commit_seconds: float = 0.0

    def snapshot(self) -> dict[str, Any]:
        """The counts, and the mean time a batch took, in milliseconds."""
        mean = 1000 * self.commit_seconds / self.batches if self.batches else 0.0
        return {**asdict(self), "commit_seconds": round(self.commit_seconds, 3), "commit_ms_mean": round(mean, 1)}


class Committer:
    """Writes groups; several threads may do so at once."""

    def __init__(self, store: Store, ledger: Ledger, closing: threading.Event) -> None:
        self.stats = Stats()
        self._store = store
        self._ledger = ledger
        self._closing = closing
        self._lock = threading.Lock()

    def write(self, requests: list[Request]) -> None:
        """Store requests for one table and answer each. Never raises a StoreError."""
        try:
            stored = self._ledger.stored([request.key for request in requests])
        except StoreError:
            self._refuse(requests)
            return
        self._answer([request for request in requests if request.key in stored])
        self._count(duplicates=len(stored))
        fresh = [request for request in requests if request.key not in stored]
        if fresh:
            self._insert(fresh)

    def _insert(self, requests: list[Request], max_partitions: int = 100) -> None:
        started = time.perf_counter()
        try:
            batch = self._ledger.begin()
        except StoreError:
            self._refuse(requests)
            return
        landing = requests[0].landing
        pieces = [piece for request in requests for piece in _enveloped(request, batch)]
        settings = {**landing.settings(), "max_partitions_per_insert_block": max_partitions}
        try:
            self._store.insert_bytes(landing.table, pieces, "Protobuf", settings)
        except StoreError as error:
            del pieces
            if self._persist(lambda: self._ledger.discard([batch])):
                self._isolate(requests, error, max_partitions)
            else:
                self._refuse(requests)
            return
        if not self._persist(lambda: self._ledger.commit(batch, [request.key for request in requests])):
            self._refuse(requests)
            return
        self._count(
            requests=len(requests),
            bytes=sum(len(request.body) for request in requests),
            batches=1,
            commit_seconds=time.perf_counter() - started,
        )
        self._answer(requests)

    def _answer(self, requests: list[Request]) -> None:
        """Answer requests for one table that are stored; one sent again will find what became of it, too."""
        if not requests:
            return
        try:
            outcomes = requests[0].landing.outcomes(self._store, [request.key for request in requests])
        except StoreError:
            self._refuse(requests)
            return
        for request in requests:
            request.succeed(outcomes.get(request.key, STORED))

    def _isolate(self, requests: list[Request], error: StoreError, max_partitions: int) -> None:
        """After a failed insert that left nothing behind: write what can be written without the offender."""
        if isinstance(error, TooManyParts) and max_partitions:
            # Together they span too many days. Each alone may span as many as it likes.
            for request in requests:
                self._insert([request], max_partitions=0)
        elif isinstance(error, DataRejected) and len(good := self._readable(requests)) < len(requests):
            if good:
                self._insert(good, max_partitions)
        elif isinstance(error, DataRejected | QueryFailed) and len(requests) > 1:
            middle = len(requests) // 2
            self._insert(requests[:middle], max_partitions)
            self._insert(requests[middle:], max_partitions)
        elif isinstance(error, DataRejected):
            self._count(malformed=1)
            requests[0].fail(MalformedBody(_MALFORMED))
        else:
            self._refuse(requests)

    def _readable(self, requests: list[Request]) -> list[Request]:
        """Those that can be parsed; the others are answered. A table that keeps nothing tells in milliseconds."""
        good = []
        for request in requests:
            try:
                self._store.insert_bytes(
                    request.landing.check, _enveloped(request, 0), "Protobuf", request.landing.settings()
                )
            except DataRejected:
                self._count(malformed=1)
                request.fail(MalformedBody(_MALFORMED))
            except StoreError:
                self._refuse([request])
            else:
                good.append(request)
        return good

    def _persist(self, step: Callable[[], None]) -> bool:
        """Repeat a step of the ledger until it is done; False when the process is stopping before.

        Meanwhile its requests stay unanswered and those sent again join them, so nothing can be stored
        twice. Left undone, the next start decides by what reached the disk.
        """
        while True:
            try:
                step()
            except StoreError:
                if self._closing.wait(_PAUSE_S):
                    return False
            else:
                return True

    def _refuse(self, requests: list[Request]) -> None:
        self._count(unavailable=len(requests))
        for request in requests:
            request.fail(Overloaded(_UNAVAILABLE))

    def _count(self, **changes: float) -> None:
        with self._lock:
            for name, change in changes.items():
                setattr(self.stats, name, getattr(self.stats, name) + change)


def _enveloped(request: Request, batch: int) -> tuple[bytes, bytes]:
    key = request.key if request.landing.keyed else b""
    return envelope(request.tenant, batch, request.received_ns, request.body, key)
