"""The composition root: a Causeline, or one part of it, to start, stop and embed.

`System(settings, parts)` wires nothing yet; `start` opens the store, migrates it and starts the parts, and pushes
onto a stack how to undo each step; `stop` runs that stack from the top and may be called twice.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from enum import Flag, auto
from pathlib import Path

from api.errors import UsageError
from api.own_telemetry.telemetry import SelfTelemetry
from api.process.front import Front
from api.process.health_listener import HealthListener
from api.settings import Settings
from correlate import broker
from correlate.beat import Beat
from correlate.errors import NotifyError, PolicyError
from correlate.notify.config import read as read_targets
from correlate.policy.force import keeper
from correlate.upkeep import Upkeep
from correlate.worker import Worker
from ingest.reason import Reason
from store import Store, awaiting, migrate
from store.retention.keeper import Retention
from store.settings import Home

_log = logging.getLogger(__name__)
# A clock that did not move for so long is stuck: a broker that does not answer holds it up for seconds only.
_STUCK_S = 60.0
# How long a process waits for `causeline migrate`, which may have started a moment after it.
_TABLES_S = 120.0


class Part(Flag):
    """What a process does: answer (receivers and API), work on correlations, or say when passes are due."""

    SERVE = auto()
    WORK = auto()
    BEAT = auto()


EVERYTHING = Part.SERVE | Part.WORK | Part.BEAT


class System:
    """The parts of one process over one store."""

    def __init__(self, settings: Settings, parts: Part = EVERYTHING) -> None:
        self.settings = settings
        self._parts = parts
        self._undo = ExitStack()
        self._front = Front(settings) if Part.SERVE in parts else None
        self._store: Store | None = None
        self._worker: Worker | None = None
        self._beat: Beat | None = None
        self._telemetry: SelfTelemetry | None = None
        self._leaving = threading.Event()
        self.health_url = ""

    @property
    def _name(self) -> str:
        """What this process is."""
        names = (part.name.lower() for part in Part if part in self._parts and part.name)
        return "all" if self._parts == EVERYTHING else "+".join(names)

    @property
    def otlp_http_url(self) -> str:
        """Where OTLP/HTTP is received; empty when it is not."""
        return self._front.otlp_http_url if self._front else ""

    @property
    def otlp_grpc_address(self) -> str:
        """HOST:PORT where OTLP/gRPC is received; empty when it is not."""
        return self._front.otlp_grpc_address if self._front else ""

    @property
    def api_url(self) -> str:
        """Where the API is; empty when it is not in this process."""
        return self._front.api_url if self._front else ""

    def start(self) -> None:
        """Start every part with everything behind it working.

        Raises UsageError (unsafe host, port in use, certificate) or StoreError (directory in use, engine
        unavailable); what was started by then is stopped again.
        """
        self._refuse()
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()

    def _refuse(self) -> None:
        settings = self.settings
        refuse_bad_policy(settings.correlator.policy)
        refuse_bad_targets(settings.correlator.notifications)
        if self._parts != EVERYTHING:
            refuse_alone(settings)

    def _start(self, undo: ExitStack) -> None:
        settings, front = self.settings, self._front
        health: HealthListener | None = None
        if front is not None:
            front.bind(undo)
        else:
            health = HealthListener(settings.host, settings.health_port, self._reasons, self._alive)
            undo.callback(health.stop)
        broker.use(settings.message_broker)
        store = self._store = Store.open(settings.store_settings)
        undo.callback(store.close)
        if self._parts == EVERYTHING:
            migrate.apply(store)
        else:
            # Several processes that change tables at once get in each other's way, and may not be allowed to.
            awaiting.tables(store, _TABLES_S)
        store.watch_pulse()
        retention = Retention(settings.retention)
        retention.check(store)

        ports = front.ports if front else set()
        telemetry = self._telemetry = SelfTelemetry.start(settings.telemetry, ports, self._name)
        undo.callback(telemetry.stop)
        if Part.WORK in self._parts:
            self._worker = Worker(store, settings.correlator, settings.tenant, telemetry.correlate)
            undo.callback(self._worker.stop)
            self._worker.start()
            upkeep = Upkeep(store, retention, settings.retention.every_s)
            undo.callback(upkeep.stop)
            upkeep.start()
        if Part.BEAT in self._parts:
            self._beat = Beat(store, settings.correlator, settings.tenant, telemetry.correlate)
            undo.callback(self._beat.stop)
            self._beat.start()
        if front is not None:
            front.start(store, telemetry, retention, undo)
        if health is not None:
            health.start()
            self.health_url = health.url

    def _alive(self) -> bool:
        """Whether what this process is for goes on; what it needs may be away meanwhile."""
        return (self._worker is None or self._worker.working) and (self._beat is None or self._beat.alive_s < _STUCK_S)

    def _reasons(self) -> list[Reason]:
        """Why a process without an API cannot do its part."""
        found = []
        if self._leaving.is_set():
            found.append(Reason("draining", "the process is stopping", blocks=True))
        if self._store is None or not self._store.answering:
            found.append(Reason("store_unreachable", "the store does not answer", blocks=True))
        if not broker.answers():
            found.append(Reason("broker_unreachable", "the broker does not answer", blocks=True))
        if not self._alive():
            found.append(Reason("stuck", "the process does nothing any more", blocks=True))
        return found

    def stop(self) -> None:
        """Say so, stop listening, drain what was taken, stop the parts and close the store. Safe to call twice."""
        if not self._leaving.is_set():
            self._leaving.set()
            if self._front is not None:
                self._front.leave()
                # Whoever shares out requests has this long to hear of it.
                threading.Event().wait(self.settings.drain_notice_s)
                if self._telemetry is not None:
                    # What is still to be told is told while our own receiver takes it, in case it goes there.
                    self._telemetry.stop()
                self._front.drain()
        self._undo.close()

    def ready_line(self) -> str:
        """The one line that says the system works and where."""
        settings = self.settings
        where = settings.store_settings.place if settings.store is not None else settings.data
        if self._front is None:
            return f"ready {self._name} health={self.health_url} data={where}"
        urls = f"otlp_http={self.otlp_http_url} otlp_grpc={self.otlp_grpc_address} api={self.api_url}"
        return f"ready {urls} data={where}"


def refuse_alone(settings: Settings) -> None:
    """Raises UsageError when parts in several processes could not meet: they need a server and a broker."""
    if settings.store_settings.home is Home.EMBEDDED:
        raise UsageError(
            "an embedded store belongs to one process: name a ClickHouse server with CAUSELINE_STORE__URL, or use "
            "`causeline up`"
        )
    if not settings.message_broker.remote:
        raise UsageError("processes meet at a Redis server: name it with CAUSELINE_BROKER_URL")


def refuse_bad_policy(path: Path | None) -> None:
    """Raises UsageError with every complaint about a policy that could not be in force."""
    try:
        keeper.current(path)
    except PolicyError as error:
        raise UsageError(f"the policy cannot be used:\n{error}") from error


def refuse_bad_targets(path: Path | None) -> None:
    """Raises UsageError with what is wrong with a notification file."""
    try:
        if path is not None:
            read_targets(path)
    except NotifyError as error:
        raise UsageError(f"the notification file cannot be used: {error}") from error
