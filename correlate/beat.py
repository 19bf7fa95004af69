"""The clock: a live pass and a sweep for every tenant with telemetry, said to whoever works.

Two clocks do no harm: a tick says that a pass is due, and whoever takes one looks whether it still is
(correlate.turns). A clock that starts says nothing of what was missed, and one that nobody hears stops talking.
"""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any

from celery import beat
from kombu.exceptions import OperationalError

from correlate import broker
from correlate.celery_app import LIVE_PASS, SWEEP, app
from correlate.settings import CorrelateSettings
from correlate.telemetry import Telemetry
from store import Store
from store.batches import first_at
from store.errors import StoreError

_log = logging.getLogger(__name__)
_LOOK_S = 5.0
# A tenant that sent nothing for so long is not asked about; its late telemetry has it asked again.
_QUIET_S = 3600.0
_FIRST_LOOK_S = 900.0
_OVERLAP_S = 30.0
# So many rounds of ticks may wait for a worker; more would only be thrown away by it.
_ROUNDS = 2


class Tenants:
    """Who has telemetry or unfinished work: looked up by a thread, so that a store that is away stops no clock."""

    def __init__(self, store: Store, always: str) -> None:
        self._store = store
        self._always = always
        self._seen: dict[str, float] = {}
        self._since_ms = _now_ms() - round(_FIRST_LOOK_S * 1000)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name="beat-tenants", daemon=True)

    def start(self) -> None:
        """Look once, and go on looking."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """Look no more. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(1)

    def look(self) -> None:
        """Remember whose telemetry or jobs came since the last look; a store that does not answer is asked again."""
        began = _now_ms()
        try:
            rows = self._store.rows("tenants_since", {"since": first_at(self._since_ms)})
        except StoreError as error:
            _log.debug("tenants are looked up later: %s", error)
            return
        self._since_ms = began - round(_OVERLAP_S * 1000)
        now = time.monotonic()
        seen = self._seen | dict.fromkeys((str(row["tenant"]) for row in rows), now)
        self._seen = {tenant: at for tenant, at in seen.items() if now - at < _QUIET_S}

    def known(self) -> list[str]:
        """Tenants to ask for, in order."""
        return sorted({self._always, *self._seen})

    def _look_on(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            self.look()


class Scheduler(beat.Scheduler):  # type: ignore[misc]  # celery ships no types
    """Celery's scheduler in memory, with entries for the tenants there are now."""

    def __init__(
        self, *arguments: Any, tenants: Tenants, settings: CorrelateSettings, telemetry: Telemetry, **options: Any
    ) -> None:
        self._tenants = tenants
        self._settings = settings
        self._telemetry = telemetry
        self._scheduled: list[str] = []
        self._waiting = 0
        self._counted_at = 0.0
        super().__init__(*arguments, **options)

    def setup_schedule(self) -> None:
        """Entries for those known at the start: first due after an interval, whatever was missed before."""
        self._scheduled = self._tenants.known()
        self.merge_inplace(self._entries())

    def tick(self, *arguments: Any, **options: Any) -> float:
        """One step; tenants that are new are asked about at once."""
        known = self._tenants.known()
        if known != self._scheduled:
            fresh = set(known) - set(self._scheduled)
            self._scheduled = known
            self.merge_inplace(self._entries())
            for name, entry in self.schedule.items():
                if name.partition(":")[2] in fresh:
                    entry.last_run_at = self.app.now() - timedelta(seconds=entry.schedule.seconds)
        return float(super().tick(*arguments, **options))

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Say one tick, unless those before it are still unheard."""
        try:
            if self._unheard() < _ROUNDS * len(self.schedule):
                self.apply_async(entry, producer=producer, advance=False)
                self._waiting += 1
                self._telemetry.tick("said")
            else:
                self._telemetry.tick("unheard")
        except (beat.SchedulingError, OperationalError, OSError) as error:
            self._telemetry.tick("failed")
            _log.warning("no tick of %s: the broker does not answer (%s)", entry.name, type(error).__name__)

    def _unheard(self) -> int:
        # Counted once a second: with many tenants most ticks are due together.
        if time.monotonic() - self._counted_at > 1:
            self._waiting = broker.ticks_waiting()
            self._counted_at = time.monotonic()
        return self._waiting

    def _entries(self) -> dict[str, dict[str, Any]]:
        due = ((LIVE_PASS, self._settings.live_every_s), (SWEEP, self._settings.sweep_every_s))
        return {
            # A tick that waited longer than this would ask for what a later one asks for anyway.
            f"{task}:{tenant}": {"task": task, "schedule": every, "args": [tenant], "options": {"expires": every}}
            for task, every in due
            for tenant in self._scheduled
        }


class Beat:
    """The clock in a thread, from `start` to `stop`; `alive_s` is how long ago it last moved."""

    def __init__(
        self, store: Store, settings: CorrelateSettings, tenant: str, telemetry: Telemetry | None = None
    ) -> None:
        self._telemetry = telemetry or Telemetry()
        self._tenants = Tenants(store, tenant)
        self._settings = settings
        self._service: Any = None

    def start(self) -> None:
        """Begin to tick."""
        self._tenants.start()
        self._telemetry.watch(_waiting)
        scheduler = partial(Scheduler, tenants=self._tenants, settings=self._settings, telemetry=self._telemetry)
        self._service = beat.EmbeddedService(app, thread=True, scheduler_cls=scheduler)
        self._service.start()

    @property
    def alive_s(self) -> float:
        """Seconds since the clock last moved; infinite before it began."""
        last = getattr(getattr(self._service, "service", None), "_last_tick", None)
        return float("inf") if last is None else time.monotonic() - last

    def stop(self) -> None:
        """Say nothing more. Safe to call twice."""
        service, self._service = self._service, None
        if service is not None:
            service.service.stop()
        self._tenants.stop()
        if service is not None:
            # It sleeps for a second at most; a broker that hangs may hold it longer, and then it ends with the process.
            service.join(1.5)


def _waiting() -> int:
    try:
        return broker.ticks_waiting()
    except (OperationalError, OSError):
        return -1


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
