"""What listens: the OTLP receivers and the API, over a store that is open."""

from __future__ import annotations

import re
import socket
import threading
from contextlib import ExitStack
from functools import partial

from starlette.types import ASGIApp

from api.access.access import Access
from api.app import create_app
from api.deps import Services
from api.own_telemetry.telemetry import SelfTelemetry
from api.process.connections import Gate, Patience, Render
from api.process.grpc_listener import GrpcListener
from api.process.listener import Listener, bind, event_loop_factory
from api.process.opening import opened, refuse_exposure
from api.protocol.cutoff import Cutoff
from api.protocol.problems import plain as problem
from api.reads.reading import Reader, stored_items
from api.settings import Settings
from api.tls import grpc_credentials, http_context
from correlate import jobs
from ingest.answers import refusal
from ingest.grpc_server import Exports
from ingest.grpc_server import options as grpc_options
from ingest.pipeline import Pipeline
from ingest.reason import Reason
from ingest.receiver import create_app as create_receiver
from ingest.settings import IngestSettings
from store import Store
from store.retention.keeper import Retention
from store.settings import Home


class Front:
    """Receivers and API. `bind` comes first, because ports are what most often goes wrong."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._pipeline: Pipeline | None = None
        self._draining = threading.Event()
        self.otlp_http_url = self.otlp_grpc_address = self.api_url = ""

    def bind(self, undo: ExitStack) -> None:
        """Take the ports. Raises UsageError."""
        host, settings = self._settings.host, self._settings
        self._otlp = bind(host, settings.otlp_http_port, "OTLP/HTTP", "--otlp-http-port")
        undo.callback(self._otlp.close)
        self._grpc = bind(host, settings.otlp_grpc_port, "OTLP/gRPC", "--otlp-grpc-port")
        undo.callback(self._grpc.close)
        self._api = bind(host, settings.api_port, "the API", "--api-port")
        undo.callback(self._api.close)

    @property
    def ports(self) -> set[int]:
        """The ports that are ours."""
        return {sock.getsockname()[1] for sock in (self._otlp, self._grpc, self._api)}

    def start(self, store: Store, telemetry: SelfTelemetry, retention: Retention, undo: ExitStack) -> None:
        """Listen with everything behind it working. Raises UsageError or StoreError."""
        settings = self._settings
        access = opened(store, settings)
        undo.callback(access.stop)
        access.start()
        refuse_exposure(settings.host, access)
        telemetry.watch(partial(stored_items, store))
        pipeline = Pipeline(store, self._receiving(store), telemetry.ingest, settings.tenants, retention.earliest)
        undo.callback(pipeline.stop)
        pipeline.start()
        self._pipeline = pipeline
        receiver, calls = self._receivers(pipeline, access)
        services = Services(
            reader=Reader(store, settings.tenant),
            submit=partial(jobs.submit, store),
            release=partial(jobs.release, store),
            correlator=settings.correlator,
            take_logs=pipeline.take_logs,
            requests_per_minute=settings.api_requests_per_minute,
            requests_at_once=settings.api_requests_at_once,
            limits=settings.tenants,
            most_streams=settings.api_streams,
            ingest_stats=pipeline.stats,
            reasons=partial(self._reasons, pipeline, receiver, calls),
            promql=settings.promql,
            retention=retention,
            access=access,
        )
        make = partial(self._application, services, store)
        tls = None if settings.api_tls is None else http_context(settings.api_tls)
        api = Listener(self._api, "api", make, self._gate(problem), tls)
        for listener in (api, receiver, calls):
            undo.callback(listener.stop)
            listener.start()
        self.otlp_http_url, self.otlp_grpc_address, self.api_url = receiver.url, calls.address, api.url

    @staticmethod
    def _application(services: Services, store: Store) -> ASGIApp:
        app = create_app(services)
        return app if store.home is Home.EMBEDDED else Cutoff(app, lambda: store.answering)

    def _receiving(self, store: Store) -> IngestSettings:
        """Ingest's settings. A receiver that shares its store needs a name that no other has, and keeps it."""
        ingest = self._settings.ingest
        if store.home is Home.EMBEDDED or ingest.receiver != IngestSettings.model_fields["receiver"].default:
            return ingest
        port = self._otlp.getsockname()[1]
        host = re.sub(r"[^a-z0-9_.-]", "-", socket.gethostname().lower())
        return ingest.model_copy(update={"receiver": f"{host[:56]}-{port}"})

    def _receivers(self, pipeline: Pipeline, access: Access) -> tuple[Listener, GrpcListener]:
        """The listeners for OTLP, with the certificate if there is one."""
        settings = self._settings
        context = credentials = None
        if settings.otlp_tls is not None:
            context, credentials = http_context(settings.otlp_tls), grpc_credentials(settings.otlp_tls)
        gate = self._gate(refusal, settings.ingest.body_timeout_s)
        limits = grpc_options(settings.ingest.max_body_bytes, settings.max_connections)
        return (
            Listener(self._otlp, "otlp", lambda: create_receiver(pipeline, access.sender("http")), gate, context),
            GrpcListener(
                self._grpc, lambda: Exports(pipeline, access.sender("grpc")), limits, event_loop_factory(), credentials
            ),
        )

    def _gate(self, render: Render, body_s: float = 8.0) -> Gate:
        # The application answers a late body itself, a moment before the gate would close.
        patience = Patience(body_s=body_s + 1)
        return Gate(self._settings.max_connections, self._settings.max_connections_per_address, patience, render)

    def _reasons(self, pipeline: Pipeline, *receivers: Listener | GrpcListener) -> list[Reason]:
        listening = all(receiver.listening for receiver in receivers)
        deaf = [] if listening else [Reason("not_listening", "the receiver is not listening", blocks=True)]
        leaving = [Reason("draining", "the process is stopping", blocks=True)] if self._draining.is_set() else []
        return [*leaving, *pipeline.reasons(), *deaf]

    def leave(self) -> None:
        """Say on /readyz that nothing more should be sent here; everything still works."""
        self._draining.set()

    def drain(self) -> None:
        """Store what was taken; from now on telemetry is refused with 503 and a time to come back."""
        if self._pipeline is not None:
            self._pipeline.stop()
