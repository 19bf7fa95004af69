"""Admission and group commit: a request goes in, and comes back when it is on disk.

Concurrent requests join the group that is being filled while earlier ones are written. A body sent
again while it is being written waits for that write; one already stored returns at once.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from types import MappingProxyType
from typing import Any

from ingest.admission import Admission, Admitted, Kept, everything
from ingest.budget import Budget, Hold
from ingest.careful import Careful
from ingest.committer import Committer
from ingest.envelope import Signal
from ingest.errors import IngestError, Overloaded
from ingest.groups import Groups, Request
from ingest.ledger import Ledger
from ingest.limits import Limits
from ingest.outcome import Outcome
from ingest.quota import Quota
from ingest.reason import Reason
from ingest.remote_write_landing import Version
from ingest.settings import MIB, IngestSettings
from ingest.telemetry import Telemetry
from ingest.watch import Watch
from store import Store
from store.errors import StoreError

_log = logging.getLogger(__name__)
# Share of the time a request may wait that the queue before it may take; the batch being written takes some, too.
_WAIT = 0.4
_LAMED = "a writer ended by an error of its own, which the log tells; start the receiver again"


class Pipeline:
    """The way into the store. `start` it before the first request and `stop` it after the last."""

    def __init__(
        self,
        store: Store,
        settings: IngestSettings,
        telemetry: Telemetry | None = None,
        limits: Limits = MappingProxyType({}),
        kept: Kept = everything,
    ) -> None:
        self.settings = settings
        self.budget = Budget(settings.max_inflight_bytes, settings.tenant_share, self._let_in)
        self._store = store
        self._admission = Admission(settings, kept)
        self._quota = Quota(settings.tenant_bytes_per_s, settings.quota_status, limits=limits)
        self._watch = Watch(store, settings, limits)
        self.telemetry = telemetry or Telemetry()
        self._ledger = Ledger(store, settings)
        self._stopping = threading.Event()
        self._careful = Careful()
        self._groups = Groups(settings.max_batch_bytes, _WAIT * settings.commit_timeout_s)
        self._committer = Committer(
            store,
            self._ledger,
            self._stopping,
            self._careful,
            self.telemetry,
            settings.max_batch_memory_bytes,
            lambda: len(self._groups) > 0,
        )
        self.telemetry.watch(lambda: len(self._groups), lambda: self.budget.used)
        self._under_way: dict[bytes, Request] = {}
        self._lock = threading.Lock()
        self._threads = [
            threading.Thread(target=self._work, name=f"ingest-writer-{n}", daemon=True) for n in range(settings.writers)
        ]
        self._accepting = self._lamed = False

    def start(self) -> None:
        """Undo what a killed process left unfinished, then accept. Raises StoreError."""
        self._admission.publish(self._store)
        deleted = self._ledger.recover()
        if deleted:
            _log.warning("deleted %d unfinished batches of telemetry that was never acknowledged", deleted)
        self._watch.start()
        self._accepting = True
        for thread in self._threads:
            thread.start()

    async def submit(self, kind: Signal | Version, body: bytes, hold: Hold) -> Outcome:
        """What became of the request, once it is stored for good; `hold` is given up then, however it ends.

        It belongs to the tenant that it was held for.

        Raises MalformedBody when it cannot be decoded, BodyTooLarge for its shape, and Overloaded when it may be
        sent again: what is still being written then is written all the same, and the same body sent again joins it.
        """
        received_ns = time.time_ns()
        try:
            if len(body) > MIB:
                admitted = await asyncio.to_thread(self._admission.admit, hold.tenant, kind, body, received_ns)
            else:
                admitted = self._admission.admit(hold.tenant, kind, body, received_ns)
        except (IngestError, asyncio.CancelledError):
            hold.release()
            raise
        request = self._join(admitted, body, received_ns, hold)
        if isinstance(request, Outcome):
            return request
        try:
            async with asyncio.timeout(self.settings.commit_timeout_s):
                return await asyncio.wrap_future(request.done)
        except TimeoutError:
            raise Overloaded("the request is still being stored; ask again soon") from None

    async def take_logs(self, tenant: str, body: bytes) -> Outcome:
        """Store an OTLP logs request (protobuf) that this process made itself. Raises as `submit` does."""
        hold = self.budget.hold(tenant)
        try:
            hold.resize(len(body))
        except Overloaded:
            hold.release()
            raise
        return await self.submit(Signal.LOGS, body, hold)

    def _let_in(self, tenant: str) -> None:
        """Raises Overloaded when nothing more of the tenant, or of anyone, can be taken at the moment."""
        if self._lamed:
            raise Overloaded(_LAMED)
        self._watch.refuse_when_full()
        self._quota.check(tenant)

    def _join(self, admitted: Admitted, body: bytes, received_ns: int, hold: Hold) -> Request | Outcome:
        """The request to wait for, or what became of it when it is stored already."""
        key, tenant = admitted.key, hold.tenant
        with self._lock:
            known = self._under_way.get(key) or self._ledger.outcome(key)
            if known is not None:
                self._committer.stats.duplicates += 1
                self.telemetry.duplicate(admitted.landing.signal)
                hold.release()
                return known
            if not self._accepting:
                hold.release()
                raise Overloaded("the receiver is stopping")
            landing = admitted.landing
            metrics = landing.signal is Signal.METRICS
            # Only where items can be refused at once does a tenant lose just the series that it has too many.
            if self._careful.with_(tenant, landing.signal) or (metrics and tenant in self._watch.series.capped):
                landing = landing.careful()
            request = Request(key, tenant, landing, body, received_ns, hold, admitted.fields, admitted.suspect)
            try:
                self._groups.put(request)
            except Overloaded:
                hold.release()
                raise
            self._quota.charge(tenant, len(body))
            self._under_way[key] = request
            request.done.add_done_callback(lambda _: self._under_way.pop(key, None))
            if metrics:
                # Once it is stored, because only then can its series be counted.
                size = len(body)
                request.done.add_done_callback(lambda _: self._watch.series.charge(tenant, size))
            return request

    def _work(self) -> None:
        broken = True
        try:
            self._write_groups()
            broken = False
        finally:
            # What it was writing is decided by the next start. Until then nobody is to wait for an answer.
            self._lamed |= broken

    def _write_groups(self) -> None:
        while (group := self._groups.take()) is not None:
            # Taken down first: an item that must be refused sends a group to another table.
            landing, size, started = group[0].landing, sum(len(r.body) for r in group), time.monotonic()
            try:
                self._committer.write(group)
            finally:
                self._groups.written(landing, size, time.monotonic() - started)
            del group
            try:
                self._ledger.forget()
            except StoreError as error:
                _log.warning("old days of the ledger stay for now: %s", error)

    def stats(self) -> dict[str, Any]:
        """Counts since the start, and the bytes in flight."""
        return {
            **self._committer.stats.snapshot(),
            "inflight_bytes": self.budget.used,
            "degraded": [reason.message for reason in self._watch.reasons()],
        }

    def reasons(self) -> list[Reason]:
        """Why telemetry is refused, or what is not as it should be; empty when all is well."""
        stopping = [] if self._accepting else [Reason("stopping", "the receiver is stopping", blocks=True)]
        lamed = [Reason("writer_ended", _LAMED, blocks=True)] if self._lamed else []
        return [*stopping, *lamed, *self._watch.reasons()]

    def stop(self) -> None:
        """Store what was accepted, accept nothing more, end the writers. Safe to call twice."""
        with self._lock:
            self._accepting = False
        self._watch.stop()
        self._groups.close()
        self._stopping.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        try:
            self._ledger.close()
        except StoreError as error:
            _log.debug("the next start will find a batch begun: %s", error)
