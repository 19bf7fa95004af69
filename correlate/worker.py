"""A Celery worker inside this process: tasks in threads, taken from the broker until it is stopped."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery.worker import WorkController

from correlate import broker, jobs
from correlate.beat import Beat
from correlate.celery_app import app
from correlate.notify.config import read
from correlate.notify.outbox import Outbox
from correlate.settings import CorrelateSettings
from correlate.tasks import attach, give_way
from correlate.telemetry import Telemetry
from store import Store
from store.errors import StoreError
from store.settings import DEFAULT_TENANT, Home

_log = logging.getLogger(__name__)


class Worker:
    """Runs correlation in threads of this process until stopped."""

    def __init__(
        self,
        store: Store,
        settings: CorrelateSettings,
        tenant: str = DEFAULT_TENANT,
        telemetry: Telemetry | None = None,
    ) -> None:
        self._telemetry = telemetry
        self._store = store
        self._settings = settings
        self._tenant = tenant
        self._controller: WorkController | None = None
        self._thread: threading.Thread | None = None
        self._outbox: Outbox | None = None

    def start(self) -> None:
        """Start to work; jobs that a former process left unfinished are enqueued again.

        Raises NotifyError for a notification file that cannot be used.
        """
        # The data directory is locked: whoever held a lease is dead. A server has other workers.
        lone = self._store.home is Home.EMBEDDED
        if self._settings.notifications is not None:
            self._outbox = Outbox(self._store, self._tenant, read(self._settings.notifications))
            self._outbox.start()
        attach(self._store, self._settings, lone=lone, news=self._news, telemetry=self._telemetry)
        self._controller = app.WorkController(
            pool_cls="threads",
            # Live passes and the sweeper have threads of their own, however much is being filled back.
            concurrency=self._settings.backfill_threads + self._settings.live_threads + 1,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._controller.start, name="correlate-worker", daemon=True)
        self._thread.start()
        try:
            for tenant, identifier in jobs.unfinished(self._store):
                broker.hint(tenant, identifier)
        except StoreError as error:
            _log.warning("unfinished jobs wait for a sweep: %s", error)

    def _news(self, tenant: str) -> None:
        # The file of targets is the operator's: nobody else's incidents go there.
        if self._outbox is not None and tenant == self._tenant:
            self._outbox.wake()

    @property
    def working(self) -> bool:
        """Whether tasks are being taken, as far as this process can tell."""
        return self._thread is not None and self._thread.is_alive()

    def wait_until_connected(self, timeout_s: float) -> bool:
        """Whether the broker was reached within that time."""
        deadline = time.monotonic() + timeout_s
        while not self.connected and time.monotonic() < deadline:
            time.sleep(0.05)
        return self.connected

    @property
    def connected(self) -> bool:
        """Whether there is a connection to the broker now."""
        consumer: Any = getattr(self._controller, "consumer", None)
        connection = getattr(consumer, "connection", None)
        return bool(connection is not None and connection.connected and consumer.task_consumer is not None)

    def stop(self, timeout_s: float = 8.0) -> None:
        """Stop taking work, let the running pass end, and return within about `timeout_s`. Safe to call twice.

        A back-fill stops after its present window; whoever starts next does it again.
        """
        give_way()
        if self._outbox is not None:
            self._outbox.stop()
            self._outbox = None
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None


class EmbeddedWorker:
    """Worker and clock in this process: nothing to install, nothing to fork."""

    def __init__(self, store: Store, settings: CorrelateSettings, tenant: str = DEFAULT_TENANT) -> None:
        self._worker = Worker(store, settings, tenant)
        self._beat = Beat(store, settings, tenant)

    def start(self) -> None:
        """Start the worker, then the clock. Raises NotifyError."""
        self._worker.start()
        self._beat.start()

    def stop(self, timeout_s: float = 8.0) -> None:
        """Stop both within about `timeout_s`. Safe to call twice."""
        give_way()
        began = time.monotonic()
        self._beat.stop()
        self._worker.stop(max(0.0, timeout_s - (time.monotonic() - began)))
