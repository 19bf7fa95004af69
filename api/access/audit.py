"""Entries of the audit log on their way to the store: requests do not wait for it, and a graceful stop loses none."""

from __future__ import annotations

import logging
import threading
from collections import deque

from store import Store, audit
from store.audit import Entry
from store.errors import StoreError

_log = logging.getLogger(__name__)
_EVERY_S = 1.0
_BATCH = 1000
# While the store does not answer for this many entries, the oldest are dropped, and a line of the log says so.
_MOST_WAITING = 50_000
# A stop does not wait for a store that is away.
_LAST_TRIES = 2


class AuditLog:
    """A queue and a thread that empties it. `start` it and `stop` it; `add` from any thread."""

    def __init__(self, store: Store, every_s: float = _EVERY_S) -> None:
        self._store = store
        self._every_s = every_s
        self._waiting: deque[Entry] = deque()
        self._dropped = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="access-audit", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Have an entry written within a second or so."""
        with self._lock:
            if len(self._waiting) >= _MOST_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append(entry)

    def stop(self) -> None:
        """Write what waits, and end. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        for _ in range(_LAST_TRIES):
            if self.flush():
                return
        _log.error("%d entries of the audit log are lost: the store does not answer", len(self._waiting))

    def flush(self) -> bool:
        """Write what waits now; whether nothing is left."""
        with self._writing:
            return self._flush()

    def _flush(self) -> bool:
        while True:
            with self._lock:
                batch = list(self._waiting)[:_BATCH]
                dropped, self._dropped = self._dropped, 0
            if dropped:
                _log.error("%d entries of the audit log were dropped: the store did not take them in time", dropped)
            if not batch:
                return True
            try:
                audit.append(self._store, batch)
            except StoreError as error:
                _log.warning("the audit log waits for the store: %s", error)
                return False
            with self._lock:
                for entry in batch:
                    if self._waiting and self._waiting[0] is entry:
                        self._waiting.popleft()

    def _work(self) -> None:
        while not self._stopping.wait(self._every_s):
            self.flush()
