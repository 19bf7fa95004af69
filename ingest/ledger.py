"""What was stored: which requests, in which batch, and what a killed process left half done.

A request is remembered in memory while there is room, and in the store's ledger for as long as the
settings say. Whoever sends it again is answered at once and it is not stored again.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Sequence

from ingest.settings import IngestSettings
from store import Store, batches
from store.batches import State
from store.settings import Home

_HOUR = 3600.0


class BatchNumbers:
    """Numbers no other batch has, here or in another receiver, growing with time.

    Milliseconds since the epoch in the upper 42 bits, a counter that starts at random in the lower 22.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """The next number."""
        with self._lock:
            number = (time.time_ns() // 1_000_000) << 22 | secrets.randbits(22)
            self._last = max(number, self._last + 1)
            return self._last


class Ledger:
    """The durable record of batches and requests. Safe to use from any thread."""

    def __init__(self, store: Store, settings: IngestSettings) -> None:
        self._store = store
        self._settings = settings
        self._numbers = BatchNumbers()
        self._lock = threading.Lock()
        self._recent: dict[bytes, None] = {}
        # Whether memory holds every request the ledger knows, so that nothing needs looking up. On a server
        # other receivers write to the ledger too.
        self._complete = False
        self._forget_at = 0.0

    def recover(self) -> int:
        """Delete what was begun and never finished, load what is remembered; returns the batches deleted.

        To be called before the first request is taken. Raises StoreError.
        """
        unfinished = batches.begun(self._store, self._settings.receiver, _before(self._settings.orphaned_after_s))
        self.discard(unfinished)
        self.forget()
        limit = self._settings.remember_in_memory
        newest = batches.recent(self._store, _before(self._settings.remember_s), limit + 1)
        self._complete = len(newest) <= limit and self._store.home is Home.EMBEDDED
        self._recent = dict.fromkeys(reversed(newest[:limit]))
        return len(unfinished)

    def begin(self) -> int:
        """The number of a new batch, written down before anything of it is stored. Raises StoreError."""
        number = self._numbers.next()
        batches.record(self._store, State.BEGUN, [number], self._settings.receiver)
        return number

    def commit(self, batch: int, keys: Sequence[bytes]) -> None:
        """Write down that `batch` is stored and holds the requests `keys`. Raises StoreError."""
        batches.record(self._store, State.COMMITTED, [batch], self._settings.receiver, keys)
        with self._lock:
            self._recent.update(dict.fromkeys(keys))
            while len(self._recent) > self._settings.remember_in_memory:
                self._recent.pop(next(iter(self._recent)))
                self._complete = False

    def discard(self, numbers: Sequence[int]) -> None:
        """Delete the rows of batches that will not be committed. Raises StoreError."""
        if numbers:
            batches.discard(self._store, numbers)
            batches.record(self._store, State.DISCARDED, numbers, self._settings.receiver)

    def remembers(self, key: bytes) -> bool:
        """Whether memory knows the request as stored."""
        return key in self._recent

    def stored(self, keys: Sequence[bytes]) -> set[bytes]:
        """Those of `keys` that memory has forgotten and the ledger has not. Raises StoreError."""
        return set() if self._complete else batches.known(self._store, keys, _before(self._settings.remember_s))

    def forget(self) -> None:
        """Drop what is older than the settings say, at most once an hour. Raises StoreError."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _HOUR
            batches.forget(self._store, _before(self._settings.remember_s))


def _before(seconds: int) -> int:
    """The time so many seconds ago, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000 - seconds * 1000
