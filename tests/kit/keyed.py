"""A receiver and an API behind real keys, over one store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import httpx

from api.access.access import Access
from api.access.desk import Wanted, fresh
from api.access.oidc import People
from api.access.scopes import Scope
from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.jobs import submit
from ingest.grpc_server import Exports
from ingest.pipeline import Pipeline
from ingest.receiver import create_app as create_receiver
from ingest.settings import IngestSettings
from store import Store, keys
from tests.kit.serving import serving, serving_grpc

HOME = "default"


@dataclass
class Keyed:
    """Where everything listens, and what stands behind it."""

    store: Store
    access: Access
    pipeline: Pipeline
    app: Any
    api: httpx.Client
    otlp: str
    channel: grpc.Channel

    def key(self, name: str, *scopes: Scope, tenant: str = HOME, expires: int | None = None) -> str:
        """A key, put into the store and known at once."""
        text, stored = fresh(Wanted(name, tenant, scopes, expires), "a test")
        keys.save(self.store, stored)
        self.access.keys.refresh()
        return text

    def get(self, path: str, key: str, **more: Any) -> httpx.Response:
        """GET with a key."""
        return self.api.get(path, headers=bearer(key), **more)


def bearer(key: str) -> dict[str, str]:
    """The header that carries a key."""
    return {"Authorization": f"Bearer {key}"}


@contextmanager
def keyed(store: Store, people: People | None = None, **services: Any) -> Iterator[Keyed]:
    """All of it until the block ends. `services` are further arguments of Services."""
    with ExitStack() as undo:
        held = Access(store, HOME, people=people)
        undo.callback(held.stop)
        held.start()
        pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60))
        undo.callback(pipeline.stop)
        pipeline.start()
        app = create_app(
            Services(Reader(store, HOME), partial(submit, store), take_logs=pipeline.take_logs, access=held, **services)
        )
        url = undo.enter_context(serving(app))
        otlp = undo.enter_context(serving(create_receiver(pipeline, held.sender("http"))))
        address = undo.enter_context(serving_grpc(lambda: Exports(pipeline, held.sender("grpc"))))
        channel = undo.enter_context(grpc.insecure_channel(address))
        api = undo.enter_context(httpx.Client(base_url=url, timeout=120))
        yield Keyed(store, held, pipeline, app, api, otlp, channel)
