"""The composition root: a whole Causeline in one process, to start, stop and embed.

`System(settings)` wires nothing yet; `start` opens the store, migrates it and listens, and pushes
onto a stack how to undo each step; `stop` runs that stack from the top and may be called twice.
"""

from __future__ import annotations

import logging
import signal
import threading
from contextlib import ExitStack
from functools import partial

from api.app import create_app
from api.deps import Services
from api.errors import UnsafeHost
from api.listener import Listener, bind
from api.reading import Reader, stored_items
from api.settings import LOOPBACK, Settings
from api.telemetry import SelfTelemetry
from correlate import jobs
from correlate.worker import EmbeddedWorker
from ingest.pipeline import Pipeline
from ingest.reason import Reason
from ingest.receiver import create_app as create_receiver
from store import Store, migrate

_log = logging.getLogger(__name__)


class System:
    """Receiver, API and correlation worker over one store."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._undo = ExitStack()
        self.otlp_http_url = ""
        self.api_url = ""

    def start(self) -> None:
        """Listen on both ports with everything behind them working.

        Raises UsageError (unsafe host, port in use) or StoreError (directory in use, engine
        unavailable); what was started by then is stopped again.
        """
        refuse_exposure(self.settings.host)
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()

    def _start(self, undo: ExitStack) -> None:
        settings = self.settings
        # Ports first: they are what most often goes wrong, and nothing needs undoing yet.
        otlp_socket = bind(settings.host, settings.otlp_http_port, "OTLP/HTTP", "--otlp-http-port")
        undo.callback(otlp_socket.close)
        api_socket = bind(settings.host, settings.api_port, "the API", "--api-port")
        undo.callback(api_socket.close)

        store = Store.open(settings.store_settings)
        undo.callback(store.close)
        migrate.apply(store)

        ports = {otlp_socket.getsockname()[1], api_socket.getsockname()[1]}
        telemetry = SelfTelemetry.start(settings.telemetry, ports, partial(stored_items, store))
        undo.callback(telemetry.stop)
        pipeline = Pipeline(store, settings.ingest, settings.tenant, telemetry.ingest)
        undo.callback(pipeline.stop)
        pipeline.start()
        worker = EmbeddedWorker(store, settings.correlate, settings.tenant)
        undo.callback(worker.stop)
        worker.start()

        receiver = Listener(otlp_socket, "otlp", lambda: create_receiver(pipeline))
        services = Services(
            reader=Reader(store, settings.tenant),
            submit=partial(jobs.submit, store, settings.tenant),
            ingest_stats=pipeline.stats,
            reasons=partial(_reasons, pipeline, receiver),
        )
        api = Listener(api_socket, "api", lambda: create_app(services))
        for listener in (api, receiver):
            undo.callback(listener.stop)
            listener.start()
        # What is still to be told is told while our own receiver listens, in case it goes there.
        undo.callback(telemetry.stop)
        self.otlp_http_url, self.api_url = receiver.url, api.url

    def stop(self) -> None:
        """Stop listening, drain what was taken, stop the worker and close the store."""
        self._undo.close()

    def ready_line(self) -> str:
        """The one line that says the system works and where."""
        where = self.settings.data if self.settings.store is None else self.settings.store_settings.url
        return f"ready otlp_http={self.otlp_http_url} api={self.api_url} data={where}"


def _reasons(pipeline: Pipeline, receiver: Listener) -> list[Reason]:
    listening = [] if receiver.listening else [Reason("not_listening", "the receiver is not listening", blocks=True)]
    return [*pipeline.reasons(), *listening]


def refuse_exposure(host: str) -> None:
    """Raises UnsafeHost for an address beyond loopback: there are no keys yet to protect it."""
    if host not in LOOPBACK:
        raise UnsafeHost(
            f"refusing to listen on {host}: without access keys anyone who reaches it could read and write telemetry; "
            "use 127.0.0.1 and put an authenticating proxy in front"
        )


def stop_requested() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; call from the main thread, before starting anything."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked
