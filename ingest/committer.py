"""Writing groups of requests: begun in the ledger, inserted, committed in the ledger, answered.

A group succeeds or fails as one insert. When it fails its rows are deleted first, whatever of them
was written; then requests that can be told apart from the offender are written again without it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from ingest.careful import Careful
from ingest.envelope import Target, envelope
from ingest.errors import BodyTooLarge, MalformedBody, Overloaded
from ingest.groups import Request
from ingest.ledger import Ledger
from ingest.outcome import STORED, Outcome, outcomes
from ingest.telemetry import Telemetry
from store import Store, batches
from store.errors import (
    DataRejected,
    ItemsRefused,
    MemoryExceeded,
    QueryFailed,
    StoreError,
    StoreUnavailable,
    TooManyParts,
)
from store.rejections import Rejection

_log = logging.getLogger(__name__)
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
    too_large: int = 0
    unavailable: int = 0
    batches: int = 0
    commit_seconds: float = 0.0
    # Items refused and items stored with a note, by reason; how often each redaction rule found something.
    rejected: Counter[str] = field(default_factory=Counter)
    noted: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)

    def snapshot(self) -> dict[str, Any]:
        """The counts, and the mean time a batch took, in milliseconds."""
        mean = 1000 * self.commit_seconds / self.batches if self.batches else 0.0
        # asdict makes a Counter anew from its pairs, and so counts the pairs.
        counts = {name: dict(getattr(self, name)) for name in ("rejected", "noted", "redacted")}
        times = {"commit_seconds": round(self.commit_seconds, 3), "commit_ms_mean": round(mean, 1)}
        return {**asdict(self), **counts, **times}


class Committer:
    """Writes groups; several threads may do so at once."""

    def __init__(
        self,
        store: Store,
        ledger: Ledger,
        closing: threading.Event,
        careful: Careful,
        telemetry: Telemetry,
        max_memory_bytes: int,
        waiting: Callable[[], bool],
    ) -> None:
        self.stats = Stats()
        self.careful = careful
        self._telemetry = telemetry
        # A few bytes can become a row: what a batch costs is known only as it is decoded.
        self._limits = {"max_memory_usage": max_memory_bytes}
        self._store = store
        self._ledger = ledger
        self._closing = closing
        # Whether another batch will follow at once.
        self._waiting = waiting
        self._lock = threading.Lock()

    def write(self, requests: list[Request]) -> None:
        """Store requests for one table and answer each. Never raises a StoreError."""
        with self._telemetry.batch(requests):
            self._write(requests)

    def _write(self, requests: list[Request]) -> None:
        try:
            stored = self._telemetry.step(
                "ledger.lookup",
                lambda: self._ledger.stored([r.key for r in requests], counted=requests[0].landing.counted),
            )
        except StoreError:
            self._refuse(requests)
            return
        fresh = self._answered(requests, stored)
        if fresh:
            self._insert(fresh, fresh[0].landing)

    def _answered(self, requests: list[Request], stored: Mapping[bytes, Outcome]) -> list[Request]:
        """Answer what is stored already; what is not."""
        for request in requests:
            if request.key in stored:
                request.succeed(stored[request.key])
        self._count(duplicates=len(stored))
        self._telemetry.duplicate(requests[0].landing.signal, len(stored))
        return [request for request in requests if request.key not in stored]

    def _insert(self, requests: list[Request], landing: Target, max_partitions: int = 100) -> None:
        """Insert requests where `landing` says, which need not be where they waited, and answer each."""
        started = time.perf_counter()
        begun = self._begin(requests, landing)
        if begun is None:
            return
        batch, requests = begun
        pieces = [piece for r in requests for piece in envelope(r.tenant, batch, r.received_ns, r.body, r.fields)]
        settings = {
            **landing.settings(), **self._limits, "max_partitions_per_insert_block": max_partitions,
            **batches.marked(self._store, batch),
        }  # fmt: skip
        try:
            self._telemetry.step(
                "insert", lambda: self._store.insert_bytes(landing.table, pieces, "Protobuf", settings)
            )
        except StoreError as error:
            del pieces
            # An engine that said no has ended the insert; one that said nothing may be at it still.
            running = isinstance(error, StoreUnavailable)
            if self._persist("ledger.discard", lambda: self._ledger.discard([batch], running=running)):
                self._isolate(requests, landing, error, max_partitions)
            else:
                self._refuse(requests)
            return
        if not self._persist("ledger.commit", lambda: self._finish(batch, requests, landing, started)):
            self._refuse(requests)

    def _begin(self, requests: list[Request], landing: Target) -> tuple[int, list[Request]] | None:
        """A batch for those requests that no other receiver has; the others are answered. None when there is none."""
        while requests:
            keys = [request.key for request in requests]
            try:
                batch = self._telemetry.step("ledger.begin", partial(self._ledger.begin, keys))
                if not self._ledger.shared:
                    return batch, requests
                stored, busy = self._telemetry.step(
                    "ledger.taken", partial(self._ledger.taken, batch, keys, counted=landing.counted)
                )
                if not stored and not busy:
                    return batch, requests
                # It claims more than it will hold: its claim ends, and the rest gets a batch of its own.
                self._ledger.withdraw(batch)
            except StoreError:
                self._refuse(requests)
                return None
            waiting = self._answered(requests, stored)
            self._refuse([request for request in waiting if request.key in busy])
            requests = [request for request in waiting if request.key not in busy]
        return None

    def _finish(self, batch: int, requests: list[Request], landing: Target, started: float) -> None:
        """Commit a batch that is stored, and answer. Raises StoreError, and can be called again then."""
        if self._ledger.lapsed(batch):
            # Whoever sent it may have turned to another receiver, and that one has waited long enough.
            self._ledger.discard([batch], running=False)
            self._refuse(requests)
            return
        try:
            rejections, became = self._became(batch, landing, [request.key for request in requests])
            suspect = any(request.suspect for request in requests)
            redacted = self._ledger.dead_letters.redactions(batch) if suspect else {}
        except QueryFailed as error:
            # It would fail again, and what could be stored is stored.
            _log.error("what was refused of batch %d stays untold: %s", batch, error)
            rejections, became, redacted = [], {}, {}
        self._ledger.commit(batch, [request.key for request in requests], became, more=self._waiting())
        seconds = time.perf_counter() - started
        signal = landing.signal
        self._telemetry.committed(signal, requests, seconds)
        for rejection in rejections:
            if not rejection.stored:
                self._telemetry.rejected(signal, rejection.items, rejection.reason)
        self._telemetry.redacted(signal, redacted)
        self._count(
            requests=len(requests),
            bytes=sum(len(request.body) for request in requests),
            batches=1,
            commit_seconds=seconds,
        )
        with self._lock:
            for rejection in rejections:
                counted = self.stats.noted if rejection.stored else self.stats.rejected
                counted[rejection.reason] += rejection.items
            self.stats.redacted.update(redacted)
        for request in requests:
            if landing.nested and request.key in became:
                self.careful.mark(request.tenant, signal)
            request.succeed(became.get(request.key, STORED))

    def _became(self, batch: int, landing: Target, keys: list[bytes]) -> tuple[list[Rejection], dict[bytes, Outcome]]:
        """What was refused of a batch that is stored, and what is known of its requests. Raises StoreError."""
        if landing.counted:
            counted = self._ledger.written(keys)
            refused = [(key, outcome) for key, outcome in counted.items() if outcome.rejected]
            return [Rejection(key, landing.signal, o.message, o.rejected, stored=False) for key, o in refused], counted
        # Only the tables for nested values let a batch pass that has something to refuse.
        rejections = self._ledger.dead_letters.of_batch(batch) if landing.nested else []
        return rejections, outcomes(rejections)

    def _isolate(self, requests: list[Request], landing: Target, error: StoreError, max_partitions: int) -> None:
        """After a failed insert that left nothing behind: write what can be written without the offender."""
        if isinstance(error, ItemsRefused):
            # Rare, and dearer: the tables for nested values can tell which.
            self._insert(requests, landing.careful(), max_partitions)
        elif isinstance(error, TooManyParts) and len(requests) == 1 and max_partitions:
            # Together they span too many days; alone it may span as many as it likes.
            self._insert(requests, landing, max_partitions=0)
        elif isinstance(error, DataRejected) and len(good := self._readable(requests, landing)) < len(requests):
            if good:
                self._insert(good, landing, max_partitions)
        elif isinstance(error, DataRejected | MemoryExceeded | QueryFailed | TooManyParts) and len(requests) > 1:
            middle = len(requests) // 2
            self._insert(requests[:middle], landing, max_partitions)
            self._insert(requests[middle:], landing, max_partitions)
        elif len(requests) == 1:
            self._fail(requests[0], error)
        else:
            self._refuse(requests)

    def _fail(self, request: Request, error: StoreError) -> None:
        """Answer a request that was alone when it failed."""
        if isinstance(error, DataRejected):
            self._count(malformed=1)
            request.fail(MalformedBody(_MALFORMED))
        elif isinstance(error, MemoryExceeded):
            self._count(too_large=1)
            request.fail(BodyTooLarge("decoding the body needs too much memory; send smaller requests"))
        else:
            self._refuse([request])

    def _readable(self, requests: list[Request], landing: Target) -> list[Request]:
        """Those that can be parsed; the others are answered. A table that keeps nothing tells in milliseconds."""
        good = []
        for request in requests:
            try:
                piece = envelope(request.tenant, 0, request.received_ns, request.body)
                # Without a limit of its own, what claims to be petabytes long looks like an engine out of memory.
                settings = {**landing.settings(), **self._limits}
                self._store.insert_bytes(landing.check, piece, "Protobuf", settings)
            except StoreError as error:
                self._fail(request, error)
            else:
                good.append(request)
        return good

    def _persist(self, name: str, step: Callable[[], None]) -> bool:
        """Repeat a step of the ledger until it is done; False when the process is stopping before.

        Meanwhile its requests stay unanswered and those sent again join them, so nothing can be stored
        twice. Left undone, the next start decides by what reached the disk.
        """
        while True:
            try:
                self._telemetry.step(name, step)
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
