"""Admission and group commit: a request goes in, and comes back when it is on disk.

Concurrent requests join the group that is being filled while earlier ones are written. A body sent
again while it is being written waits for that write; one already stored returns at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

from ingest.budget import Budget, Hold
from ingest.committer import Committer
from ingest.envelope import Landing, Signal, Target, request_key
from ingest.errors import Overloaded
from ingest.groups import Groups, Request
from ingest.ledger import Ledger
from ingest.nesting import is_nested
from ingest.outcome import STORED, Outcome
from ingest.settings import MIB, IngestSettings
from store import Store
from store.errors import StoreError
from store.settings import DEFAULT_TENANT

_log = logging.getLogger(__name__)


class Pipeline:
    """The way into the store. `start` it before the first request and `stop` it after the last."""

    def __init__(self, store: Store, settings: IngestSettings, tenant: str = DEFAULT_TENANT) -> None:
        self.settings = settings
        self.tenant = tenant
        self.budget = Budget(settings.max_inflight_bytes)
        self._store = store
        self._ledger = Ledger(store, settings)
        self._stopping = threading.Event()
        self._committer = Committer(store, self._ledger, self._stopping)
        self._groups = Groups(settings.max_batch_bytes)
        self._under_way: dict[bytes, Request] = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"ingest-writer-{n}", daemon=True) for n in range(settings.writers)
        ]
        self._accepting = False

    def start(self) -> None:
        """Undo what a killed process left unfinished, then accept. Raises StoreError."""
        deleted = self._ledger.recover()
        if deleted:
            _log.warning("deleted %d unfinished batches of telemetry that was never acknowledged", deleted)
        self._accepting = True
        for thread in self._threads:
            thread.start()

    async def submit(self, signal: Signal, body: bytes, hold: Hold) -> Outcome:
        """What became of the request, once it is stored for good; `hold` is given up then, however it ends.

        Raises MalformedBody when it cannot be decoded, Overloaded when it may be sent again: what is still
        being written then is written all the same, and the same body sent again joins it.
        """
        if len(body) > MIB:
            key, landing = await asyncio.to_thread(self._looked_at, signal, body)
        else:
            key, landing = self._looked_at(signal, body)
        return await self.submit_to(landing, key, body, hold)

    async def submit_to(self, landing: Target, key: bytes, body: bytes, hold: Hold) -> Outcome:
        """As `submit`, for a request whose table and key are known."""
        request = self._admit(key, landing, body, hold)
        if request is None:
            return await self._remembered(landing, key) if landing.keyed else STORED
        try:
            async with asyncio.timeout(self.settings.commit_timeout_s):
                return await asyncio.wrap_future(request.done)
        except TimeoutError:
            raise Overloaded("the request is still being stored; ask again soon") from None

    def _looked_at(self, signal: Signal, body: bytes) -> tuple[bytes, Landing]:
        return request_key(self.tenant, signal, body), Landing(signal, is_nested(signal, body))

    async def _remembered(self, landing: Target, key: bytes) -> Outcome:
        """What became of a request that was stored before."""
        try:
            found = await asyncio.to_thread(landing.outcomes, self._store, [key])
        except StoreError as error:
            raise Overloaded("the store does not answer at the moment; try again soon") from error
        return found.get(key, STORED)

    def _admit(self, key: bytes, landing: Target, body: bytes, hold: Hold) -> Request | None:
        """The request to wait for, or None when it is stored already."""
        with self._lock:
            request = self._under_way.get(key)
            if request is None and not self._ledger.remembers(key):
                if not self._accepting:
                    hold.release()
                    raise Overloaded("the receiver is stopping")
                request = Request(key, self.tenant, landing, body, time.time_ns(), hold)
                self._under_way[key] = request
                self._groups.put(request)
                request.done.add_done_callback(lambda _: self._under_way.pop(key, None))
                return request
            self._committer.stats.duplicates += 1
        hold.release()
        return request

    def _work(self) -> None:
        while (group := self._groups.take()) is not None:
            landing, started = group[0].landing, time.monotonic()
            try:
                self._committer.write(group)
            finally:
                self._groups.written(landing, time.monotonic() - started)
            del group
            try:
                self._ledger.forget()
            except StoreError as error:
                _log.warning("old days of the ledger stay for now: %s", error)

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and the bytes in flight."""
        return {**self._committer.stats.snapshot(), "inflight_bytes": self.budget.used}

    def stop(self) -> None:
        """Store what was accepted, accept nothing more, end the writers. Safe to call twice."""
        with self._lock:
            self._accepting = False
        self._groups.close()
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
