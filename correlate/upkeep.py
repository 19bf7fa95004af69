"""Retention and deletions, by a thread of whoever works.

Not Celery tasks: rewriting a day of telemetry can take longer than a broker waits before it hands a message out again.
Tables say what is to be done, a turn lets one worker do it, and what a killed one left is taken up by the next.
"""

from __future__ import annotations

import logging
import threading
import time

from correlate.errors import TurnTaken
from correlate.turns import turn
from store import Store
from store.deletion import journal, run
from store.errors import StoreError
from store.retention import runs
from store.retention.keeper import Retention

_log = logging.getLogger(__name__)
_LOOK_S = 5.0
_TURN = "upkeep"
_STOP_S = 5.0


class Upkeep:
    """Sees to deletions at once and to retention every `every_s` seconds, from `start` to `stop`."""

    def __init__(self, store: Store, retention: Retention, every_s: float) -> None:
        self._store = store
        self._retention = retention
        self._every_s = every_s
        self._due = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Begin nothing more; a change under way goes on in the engine. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_S)

    def _work(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                if self._wanted():
                    with turn(self._store, "", _TURN, wait_s=0):
                        self.look()
            except TurnTaken:
                continue
            except StoreError as error:
                _log.warning("upkeep waits: %s", error)

    def _wanted(self) -> bool:
        return time.monotonic() >= self._due or bool(journal.unfinished(self._store)) or bool(runs.asked(self._store))

    def look(self) -> None:
        """Do what is to be done now. Raises StoreError."""
        for tenant, identifier in journal.unfinished(self._store):
            if self._stopping.is_set():
                return
            run.advance(self._store, tenant, identifier, self._stopping.is_set)
        for asked in runs.asked(self._store):
            self._apply(asked)
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every_s
            done = self._retention.remove_due(self._store)
            if done is not None and done.removed:
                _log.info("retention removed %d rows", done.removed)

    def _apply(self, asked: runs.Run) -> None:
        try:
            done = self._retention.remove_due(self._store, at_once=True)
        except StoreError as error:
            runs.end(self._store, asked.tenant, asked.id, "failed", error=str(error))
            return
        if done is not None:
            runs.end(self._store, asked.tenant, asked.id, "done", removed=done.removed)
