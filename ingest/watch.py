"""Whether the store has room for more: looked at every second, told at once.

Requests are refused before they cost anything while the disk is nearly full or parts pile up, and let in again
when that is over. What cannot be looked at is not held against anyone: an insert will tell.
"""

from __future__ import annotations

import logging
import threading
from types import MappingProxyType

from ingest.errors import Overloaded
from ingest.limits import Limits
from ingest.reason import Reason
from ingest.series_cap import SeriesCap
from ingest.settings import IngestSettings
from store import Store, condition
from store.errors import StoreError

_log = logging.getLogger(__name__)
# Counting parts asks the engine; a disk fills faster than parts pile up.
_PARTS_EVERY = 5
_SERIES_EVERY = 10


class Watch:
    """A thread that looks; `refuse_when_full` and `reasons` say what it saw. `start` it and `stop` it."""

    def __init__(self, store: Store, settings: IngestSettings, limits: Limits = MappingProxyType({})) -> None:
        self._store = store
        self._settings = settings
        self.series = SeriesCap(store, settings, limits)
        self._full: dict[str, str] = {}
        self._detached: dict[str, int] = {}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="ingest-watch", daemon=True)

    def start(self) -> None:
        """Look once, report what the engine had set aside when it opened, and go on looking. Raises StoreError."""
        self._detached = condition.detached(self._store)
        for table, parts in self._detached.items():
            _log.warning(
                "%d broken parts of %s were set aside when the store was opened; their rows are missing: "
                "see system.detached_parts and restore a backup, or drop them",
                parts,
                table,
            )
        self._look(parts=True, series=True)
        self._thread.start()

    def refuse_when_full(self) -> None:
        """Raises Overloaded while the store has no room, or does not answer."""
        if not self._store.answering:
            raise Overloaded("telemetry cannot be stored at the moment; try again soon")
        for reason in self._full.values():
            raise Overloaded(f"{reason}; try again soon")

    def reasons(self) -> list[Reason]:
        """What is not as it should be; empty when all is well."""
        full = [Reason(f"{what}_full", text, blocks=True) for what, text in self._full.items()]
        broken = [
            Reason("broken_parts", f"{parts} broken parts of {table} were set aside", blocks=False)
            for table, parts in self._detached.items()
        ]
        if failed := self._store.failed_writes:
            # What was cut short by a change was refused. What a merge wrote nobody waits for.
            text = f"{failed} writes to the disk failed: start again within eight minutes, so that merges are made anew"
            broken.append(Reason("failed_writes", text, blocks=False))
        capped = len(self.series.capped)
        many = (
            [Reason("series_capped", f"new metric series of {capped} tenants are refused", blocks=False)]
            if capped
            else []
        )
        return [*full, *broken, *many]

    def _look_on(self) -> None:
        looks = 0
        while not self._stopping.wait(self._settings.watch_interval_s):
            looks += 1
            self._look(parts=looks % _PARTS_EVERY == 0, series=looks % _SERIES_EVERY == 0)

    def _look(self, *, parts: bool, series: bool) -> None:
        settings = self._settings
        try:
            room = condition.room(self._store)
            low = room.free < max(settings.min_free_bytes, int(room.total * settings.min_free_ratio))
            self._judge("disk", low, "the disk is nearly full")
            if parts:
                share = condition.crowding(self._store)
                self._judge("parts", share > settings.max_parts_ratio, "too many parts wait to be merged")
            if series:
                self.series.look()
        except (StoreError, OSError) as error:
            _log.debug("the state of the store is unknown: %s", error)

    def _judge(self, what: str, full: bool, reason: str) -> None:
        if full and what not in self._full:
            _log.warning("%s: telemetry is refused until that is over", reason)
            self._full = {**self._full, what: reason}
        elif not full and what in self._full:
            _log.warning("no longer so: %s", reason)
            self._full = {name: text for name, text in self._full.items() if name != what}

    def stop(self) -> None:
        """End the thread. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
