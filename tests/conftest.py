"""Fixtures all tests share: a clean environment, real stores, and the shared data.

A missing part is a skip that says why; under CI=true a missing program is a failure.
"""

from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from store import Store, StoreSettings, migrate
from store.cluster import divided
from tests.kit import clickhouse_server
from tests.kit.clickhouse_cluster import ClickHouseCluster
from tests.kit.clickhouse_server import ClickHouseServer

ROOT = Path(__file__).parent.parent
# Read before the environment is cleaned: where the data sets are is a fact of the machine.
SHARED = Path(os.environ.get("CAUSELINE_SHARED", ROOT.parent / "shared"))
_numbers = itertools.count()
# The homes that test bodies run on; `CAUSELINE_TEST_HOMES=cluster` runs the same bodies on two shards.
_HOMES = os.environ.get("CAUSELINE_TEST_HOMES", "embedded,server").split(",")
# Twice the tests would be twice the time: what every run proves on a server is what asks for `backend_store`, or is
# marked to run `on_both_homes`.
HOMES = [home if home == _HOMES[0] else pytest.param(home, marks=pytest.mark.slow) for home in _HOMES]
on_both_homes = pytest.mark.parametrize("store", _HOMES, indirect=True)
# How long an example takes says how busy the machine is.
settings.register_profile("causeline", deadline=None)
settings.load_profile("causeline")


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
        # Data sets are large and are no part of the project, so their absence fails no build.
        pytest.skip(f"no data sets at {SHARED}: set CAUSELINE_SHARED")
    return SHARED


class Embedded:
    """The process's one chDB engine.

    chDB serves one path per process, so the engine can be let go for a test that opens its own.
    """

    def __init__(self, path: Path) -> None:
        self._settings = StoreSettings.embedded(path)
        self._base: Store | None = None

    def open(self, database: str) -> Store:
        """A store on the named database, created when it is not there."""
        if self._base is None:
            self._base = Store.open(self._settings)
        self._base.command(f"CREATE DATABASE IF NOT EXISTS {database}")
        store = copy.copy(self._base)
        store._directory = None
        store.settings = self._settings.model_copy(update={"database": database})
        return store

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


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseCluster]:
    """A real cluster of two shards, one for the session."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    with ClickHouseCluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture
def cluster_store(cluster: ClickHouseCluster) -> Iterator[Store]:
    """A cluster's store with every migration applied and no rows."""
    store = Store.open(cluster.settings("migrated"))
    yield from migrated(store)
    store.close()


def _bare(store: Store) -> Iterator[Store]:
    yield store
    if not store._closed:
        store.command(f"DROP DATABASE IF EXISTS {store.settings.database}")


def migrated(store: Store) -> Iterator[Store]:
    """The home's migrated database, emptied after the test: migrating takes seconds, emptying milliseconds."""
    migrate.apply(store)
    yield store
    if not store._closed:
        full = "SELECT name FROM system.tables WHERE database = currentDatabase() AND total_rows > 0"
        tables = divided() if store.layout else set(store.arrow_text(full)["name"].to_pylist())
        for table in tables - {"schema_migrations"}:
            store.command(f"TRUNCATE TABLE {table}")


@pytest.fixture
def empty_store(embedded: Embedded) -> Iterator[Store]:
    """An embedded store without tables, in a database of its own."""
    yield from _bare(embedded.open(f"test_{next(_numbers)}"))


@pytest.fixture(params=HOMES)
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with every migration applied and no rows: embedded, and in full runs on a server as well."""
    yield from migrated_on(str(request.param), request)


@pytest.fixture
def no_engine(embedded: Embedded) -> Iterator[None]:
    """No engine is open in this process: for tests that open a data directory of their own."""
    embedded.release()
    yield
    embedded.release()


@pytest.fixture
def embedded_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same for what only an embedded store does."""
    yield from migrated_on("embedded", request)


@pytest.fixture(scope="module", params=HOMES)
def module_store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """The same for all tests of a module that only read what its first fixtures wrote."""
    yield from migrated_on(str(request.param), request)


@pytest.fixture(params=_HOMES)
def backend(request: pytest.FixtureRequest) -> str:
    """The homes a test body runs on."""
    return str(request.param)


@pytest.fixture
def bare_backend_store(backend: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store without tables, once embedded and once on a server."""
    store = _open(backend, request, f"test_{next(_numbers)}")
    yield from _bare(store)
    _let_go(backend, store)


@pytest.fixture
def backend_store(backend: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with every migration applied and no rows, once embedded and once on a server."""
    yield from migrated_on(backend, request)


def migrated_on(backend: str, request: pytest.FixtureRequest) -> Iterator[Store]:
    """A store with every migration applied and no rows, on one home."""
    store = _open(backend, request, "migrated")
    yield from migrated(store)
    _let_go(backend, store)


def _open(backend: str, request: pytest.FixtureRequest, database: str) -> Store:
    if backend == "embedded":
        engine: Embedded = request.getfixturevalue("embedded")
        return engine.open(database)
    if backend == "cluster":
        shards: ClickHouseCluster = request.getfixturevalue("cluster")
        return Store.open(shards.settings(database))
    server: ClickHouseServer = request.getfixturevalue("server")
    return Store.open(StoreSettings(url=server.url, database=database))


def _let_go(backend: str, store: Store) -> None:
    if backend != "embedded":
        store.close()
