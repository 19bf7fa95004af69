"""The composition root: a whole Causeline in one process, to start, stop and embed.

`System(settings)` wires nothing yet; `start` opens the store, migrates it and listens, and pushes
onto a stack how to undo each step; `stop` runs that stack from the top and may be called twice.
"""

from __future__ import annotations

import logging
import signal
import socket
import threading
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from api.access.access import Access
from api.access.opening import opened
from api.app import create_app
from api.connections import Gate, Patience, Render
from api.deps import Services
from api.errors import UnsafeHost, UsageError
from api.grpc_listener import GrpcListener
from api.listener import Listener, bind, event_loop_factory
from api.problems import plain as problem
from api.reading import Reader, stored_items
from api.settings import LOOPBACK, Settings
from api.telemetry import SelfTelemetry
from api.tls import grpc_credentials, http_context
from correlate import jobs
from correlate.errors import NotifyError, PolicyError
from correlate.notify.config import read as read_targets
from correlate.policy.force import keeper
from correlate.worker import EmbeddedWorker
from ingest.answers import refusal
from ingest.grpc_server import Exports
from ingest.grpc_server import options as grpc_options
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
        self.otlp_http_url = self.otlp_grpc_address = self.api_url = ""

    def start(self) -> None:
        """Listen on all ports with everything behind them working.

        Raises UsageError (unsafe host, port in use, certificate) or StoreError (directory in use, engine
        unavailable); what was started by then is stopped again.
        """
        refuse_bad_policy(self.settings.correlator.policy)
        refuse_bad_targets(self.settings.correlator.notifications)
        with ExitStack() as undo:
            self._start(undo)
            self._undo = undo.pop_all()

    def _start(self, undo: ExitStack) -> None:
        settings = self.settings
        # Ports first: they are what most often goes wrong, and nothing needs undoing yet.
        otlp_socket = bind(settings.host, settings.otlp_http_port, "OTLP/HTTP", "--otlp-http-port")
        undo.callback(otlp_socket.close)
        grpc_socket = bind(settings.host, settings.otlp_grpc_port, "OTLP/gRPC", "--otlp-grpc-port")
        undo.callback(grpc_socket.close)
        api_socket = bind(settings.host, settings.api_port, "the API", "--api-port")
        undo.callback(api_socket.close)

        store = Store.open(settings.store_settings)
        undo.callback(store.close)
        migrate.apply(store)
        access = opened(store, settings)
        undo.callback(access.stop)
        access.start()
        refuse_exposure(settings.host, access)

        ports = {sock.getsockname()[1] for sock in (otlp_socket, grpc_socket, api_socket)}
        telemetry = SelfTelemetry.start(settings.telemetry, ports, partial(stored_items, store))
        undo.callback(telemetry.stop)
        pipeline = Pipeline(store, settings.ingest, telemetry.ingest)
        undo.callback(pipeline.stop)
        pipeline.start()
        worker = EmbeddedWorker(store, settings.correlator, settings.tenant)
        undo.callback(worker.stop)
        worker.start()

        receiver, calls = self._receivers(pipeline, access, otlp_socket, grpc_socket)
        services = Services(
            reader=Reader(store, settings.tenant),
            submit=partial(jobs.submit, store),
            release=partial(jobs.release, store),
            correlator=settings.correlator,
            take_logs=pipeline.take_logs,
            requests_per_minute=settings.api_requests_per_minute,
            most_streams=settings.api_streams,
            ingest_stats=pipeline.stats,
            reasons=partial(_reasons, pipeline, receiver, calls),
            promql=settings.promql,
            access=access,
        )
        api = Listener(api_socket, "api", lambda: create_app(services), self._gate(problem))
        for listener in (api, receiver, calls):
            undo.callback(listener.stop)
            listener.start()
        # What is still to be told is told while our own receiver listens, in case it goes there.
        undo.callback(telemetry.stop)
        self.otlp_http_url, self.otlp_grpc_address, self.api_url = receiver.url, calls.address, api.url

    def _receivers(
        self, pipeline: Pipeline, access: Access, http_socket: socket.socket, grpc_socket: socket.socket
    ) -> tuple[Listener, GrpcListener]:
        """The listeners for OTLP, with the certificate if there is one."""
        settings = self.settings
        context = credentials = None
        if settings.otlp_tls is not None:
            context, credentials = http_context(settings.otlp_tls), grpc_credentials(settings.otlp_tls)
        gate = self._gate(refusal, settings.ingest.body_timeout_s)
        limits = grpc_options(settings.ingest.max_body_bytes, settings.max_connections)
        return (
            Listener(http_socket, "otlp", lambda: create_receiver(pipeline, access.sender("http")), gate, context),
            GrpcListener(
                grpc_socket, lambda: Exports(pipeline, access.sender("grpc")), limits, event_loop_factory(), credentials
            ),
        )

    def _gate(self, render: Render, body_s: float = 8.0) -> Gate:
        # The application answers a late body itself, a moment before the gate would close.
        patience = Patience(body_s=body_s + 1)
        return Gate(self.settings.max_connections, self.settings.max_connections_per_address, patience, render)

    def stop(self) -> None:
        """Stop listening, drain what was taken, stop the worker and close the store."""
        self._undo.close()

    def ready_line(self) -> str:
        """The one line that says the system works and where."""
        where = self.settings.data if self.settings.store is None else self.settings.store_settings.url
        urls = f"otlp_http={self.otlp_http_url} otlp_grpc={self.otlp_grpc_address} api={self.api_url}"
        return f"ready {urls} data={where}"


def _reasons(pipeline: Pipeline, *receivers: Listener | GrpcListener) -> list[Reason]:
    listening = all(receiver.listening for receiver in receivers)
    deaf = [] if listening else [Reason("not_listening", "the receiver is not listening", blocks=True)]
    return [*pipeline.reasons(), *deaf]


def refuse_exposure(host: str, access: Access) -> None:
    """Raises UnsafeHost for an address beyond loopback while requests need no key."""
    if host not in LOOPBACK and not access.on:
        raise UnsafeHost(
            f"refusing to listen on {host}: without access keys anyone who reaches it could read and write telemetry; "
            "make one with `causeline keys create --first`, or use 127.0.0.1"
        )


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


def stop_requested() -> threading.Event:
    """An event that SIGTERM or SIGINT sets; call from the main thread, before starting anything."""
    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked
