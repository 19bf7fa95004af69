"""Fixtures all tests share: a clean environment, real stores, and the shared data.

A missing part is a skip that says why; under CI=true it is a failure.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from store import Store, StoreSettings, migrate
from tests.kit import clickhouse_server
from tests.kit.clickhouse_server import ClickHouseServer

ROOT = Path(__file__).parent.parent
# Read before the environment is cleaned: where the data sets are is a fact of the machine.
SHARED = Path(os.environ.get("CAUSELINE_SHARED", ROOT.parent / "shared"))
_numbers = itertools.count()


def missing(reason: str) -> None:
    """Skip the running test, or fail it under CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{reason} (a skip outside CI)")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's shell reaches a test."""
    for name in [name for name in os.environ if name.startswith(("CAUSELINE_", "OTEL_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of data sets and other projects' suites beside the checkout."""
    if not (SHARED / "datasets").is_dir():
        missing(f"no data sets at {SHARED}: set CAUSELINE_SHARED")
    return SHARED


class Embedded:
    """The process's one chDB engine, given to tests as a database each.

    chDB serves one path per process, so the engine can be let go for a test that opens its own.
    """

    def __init__(self, path: Path) -> None:
        self._settings = StoreSettings.embedded(path)
        self._base: Store | None = None

    def open(self) -> tuple[Store, Store]:
        """The engine's own store and a store on a new, empty database in it."""
        if self._base is None:
            self._base = Store.open(self._settings)
        database = f"test_{next(_numbers)}"
        self._base.command(f"CREATE DATABASE {database}")
        store = copy.copy(self._base)
        store._lock_file = None
        store.settings = self._settings.model_copy(update={"database": database})
        return self._base, store

    def release(self) -> None:
        """Close the engine, so that this process may open another path."""
        if self._base is not None:
            self._base.close()
            self._base = None


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """The process's embedded engine."""
    engine = Embedded(tmp_path_factory.mktemp("embedded"))
    yield engine
    engine.release()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A real ClickHouse server, one for the session."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    with ClickHouseServer(tmp_path_factory.mktemp("server")) as running:
        yield running


def _embedded_store(engine: Embedded) -> Iterator[Store]:
    base, store = engine.open()
    yield store
    if not base._closed:
        base.command(f"DROP DATABASE IF EXISTS {store.settings.database}")


def _server_store(server: ClickHouseServer) -> Iterator[Store]:
    store = Store.open(StoreSettings(url=server.url, database=f"test_{next(_numbers)}"))
    yield store
    store.command(f"DROP DATABASE IF EXISTS {store.settings.database}")
    store.close()


@pytest.fixture
def empty_store(embedded: Embedded) -> Iterator[Store]:
    """An embedded store without tables."""
    yield from _embedded_store(embedded)


@pytest.fixture
def store(empty_store: Store) -> Store:
    """An embedded store with every migration applied; a database of its own for each test."""
    migrate.apply(empty_store)
    return empty_store


@pytest.fixture
def no_engine(embedded: Embedded) -> Iterator[None]:
    """No engine is open in this process: for tests that open a data directory of their own."""
    embedded.release()
    yield
    embedded.release()


@pytest.fixture(params=["embedded", "server"])
def backend(request: pytest.FixtureRequest) -> str:
    """The homes a test body runs on."""
    return str(request.param)


@pytest.fixture
def bare_backend_store(backend: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store without tables, once embedded and once on a server."""
    if backend == "embedded":
        yield from _embedded_store(request.getfixturevalue("embedded"))
    else:
        yield from _server_store(request.getfixturevalue("server"))


@pytest.fixture
def backend_store(bare_backend_store: Store) -> Store:
    """A store with every migration applied, once embedded and once on a server."""
    migrate.apply(bare_backend_store)
    return bare_backend_store
