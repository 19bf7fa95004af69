"""A Celery worker and beat inside this process, for the embedded mode.

Broker `memory://`, a threads pool and an embedded beat: nothing to install, nothing to fork.
"""

from __future__ import annotations

import threading
from typing import Any

from celery import beat
from celery.worker import WorkController

from correlate import jobs
from correlate.celery_app import LIVE_PASS, SWEEP, app
from correlate.notify.config import read
from correlate.notify.outbox import Outbox
from correlate.settings import CorrelateSettings
from correlate.tasks import attach, give_way
from store import Store
from store.settings import DEFAULT_TENANT, Home


class EmbeddedWorker:
    """Runs correlation in threads of this process until stopped."""

    def __init__(self, store: Store, settings: CorrelateSettings, tenant: str = DEFAULT_TENANT) -> None:
        self._store = store
        self._settings = settings
        self._tenant = tenant
        self._controller: WorkController | None = None
        self._thread: threading.Thread | None = None
        self._beat: Any = None
        self._outbox: Outbox | None = None

    def start(self) -> None:
        """Start worker and beat; jobs that a former process left unfinished are enqueued again.

        Raises NotifyError for a notification file that cannot be used.
        """
        # The data directory is locked: whoever held a lease is dead. A server has other workers.
        lone = self._store.home is Home.EMBEDDED
        if self._settings.notifications is not None:
            self._outbox = Outbox(self._store, self._tenant, read(self._settings.notifications))
            self._outbox.start()
        attach(self._store, self._settings, lone=lone, news=self._outbox.wake if self._outbox else lambda: None)
        app.conf.beat_schedule = {
            "live-pass": {
                "task": LIVE_PASS,
                "schedule": self._settings.live_every_s,
                "args": [self._tenant],
                # A pass that waited longer than this would judge minutes a later one covers anyway.
                "options": {"expires": self._settings.live_every_s},
            },
            "sweep": {
                "task": SWEEP,
                "schedule": self._settings.sweep_every_s,
                "args": [self._tenant],
                "options": {"expires": self._settings.sweep_every_s},
            },
        }
        self._controller = app.WorkController(
            pool_cls="threads",
            # The live pass and the sweeper have a thread each, however much is being filled back.
            concurrency=self._settings.backfill_threads + 2,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            quiet=True,
        )
        self._thread = threading.Thread(target=self._controller.start, name="correlate-worker", daemon=True)
        self._thread.start()
        # The default scheduler keeps a file in the working directory.
        self._beat = beat.EmbeddedService(app, max_interval=1.0, thread=True, scheduler_cls=beat.Scheduler)
        self._beat.daemon = True
        self._beat.start()
        for tenant, identifier in jobs.unfinished(self._store):
            jobs.hint(tenant, identifier)

    def stop(self, timeout_s: float = 8.0) -> None:
        """Stop taking work, let the running pass end, and return within about `timeout_s`.

        A back-fill stops after its present window; whoever starts next does it again.
        """
        give_way()
        if self._outbox is not None:
            self._outbox.stop()
            self._outbox = None
        if self._beat is not None:
            self._beat.stop()
            self._beat = None
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None
