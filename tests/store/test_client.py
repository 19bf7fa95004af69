"""The facade: handles, errors, durability and the data directory's lock."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from store import Store, StoreSettings, migrate
from store.client import to_frame
from store.errors import DataDirectoryInUse, DataRejected, QueryFailed, StoreError, StoreUnavailable, UnknownQuery
from tests.kit.clickhouse_server import free_port
from tests.kit.source import ROOT

ENTITY = {
    "Tenant": "default",
    "EntityType": "node",
    "EntityName": "gpu-node-7",
    "Aliases": ["gpu-node-7.example"],
    "FirstSeen": datetime(2026, 1, 2, tzinfo=UTC),
    "LastSeen": datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    "Version": 1,
}


def entity_frame() -> pl.DataFrame:
    """One row of the entities table."""
    times = {"FirstSeen": pl.Datetime("ns", "UTC"), "LastSeen": pl.Datetime("ns", "UTC"), "Version": pl.UInt64()}
    return pl.DataFrame([ENTITY], schema_overrides=times)


def test_a_frame_comes_back_as_it_went_in(backend_store: Store) -> None:
    backend_store.insert_frame("entities", entity_frame())
    back = to_frame(backend_store.arrow_text("SELECT * FROM entities"))
    assert_frame_equal(back, entity_frame(), check_column_order=False)


def test_an_empty_frame_inserts_nothing(backend_store: Store) -> None:
    backend_store.insert_frame("entities", entity_frame().clear())
    assert backend_store.arrow_text("SELECT 1 FROM entities").num_rows == 0


def test_bytes_that_do_not_parse_are_rejected_and_the_store_goes_on(backend_store: Store) -> None:
    with pytest.raises(DataRejected):
        backend_store.insert_bytes("entities", b"{not json", "JSONEachRow")
    row = b'{"Tenant": "default", "EntityType": "pod", "EntityName": "a"}\n'
    backend_store.insert_bytes("entities", [row], "JSONEachRow")
    assert backend_store.arrow_text("SELECT EntityName FROM entities")["EntityName"].to_pylist() == ["a"]


def test_a_bad_query_is_named_and_does_not_spoil_the_next(backend_store: Store) -> None:
    for _ in range(3):
        with pytest.raises(QueryFailed, match="query of the test"):
            backend_store.arrow_text("SELECT no_such_column FROM entities", what="query of the test")
        assert backend_store.arrow_text("SELECT 1 AS one")["one"].to_pylist() == [1]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT number FROM numbers(4000000) SETTINGS max_result_rows = 2000000, max_threads = 1",
        "SELECT number, throwIf(number = 3000000) FROM numbers(4000000) SETTINGS max_threads = 1",
        "SELECT sum(cityHash64(number)) FROM numbers(40000000000) SETTINGS max_execution_time = 1",
    ],
)
def test_a_query_that_breaks_half_way_does_not_spoil_the_next(backend_store: Store, query: str) -> None:
    # One after the other get the same connection.
    with pytest.raises(StoreError):
        backend_store.arrow_text(query)
    assert backend_store.arrow_text("SELECT 1 AS one").to_pylist() == [{"one": 1}]


def test_parameters_are_values_never_text(backend_store: Store) -> None:
    nasty = "'; DROP TABLE entities; -- \\ \n\t{x:String}"
    found = backend_store.arrow_text("SELECT {value:String} AS value", {"value": nasty})
    assert found["value"].to_pylist() == [nasty]


def test_many_threads_share_one_store(backend_store: Store) -> None:
    def square(number: int) -> int:
        answer = backend_store.arrow_text("SELECT toInt64({n:Int64} * {n:Int64}) AS square", {"n": number})
        return int(answer["square"][0].as_py())

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(square, range(100))) == [number * number for number in range(100)]


def test_an_unknown_query_lists_the_known(store: Store) -> None:
    with pytest.raises(UnknownQuery, match="no named query 'no_such_query'"):
        store.arrow("no_such_query")
    with pytest.raises(UnknownQuery):
        store.arrow("../migrations/0001_traces")


def test_a_closed_store_says_so(store: Store) -> None:
    closed = Store(store.settings)
    closed.close()
    closed.close()
    with pytest.raises(StoreUnavailable, match="closed"):
        closed.arrow_text("SELECT 1")


def test_a_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        Store.open(StoreSettings(url=f"http://127.0.0.1:{free_port()}"))


@pytest.mark.usefixtures("no_engine")
def test_a_directory_in_use_names_its_owner(tmp_path: Path) -> None:
    first = Store.open(StoreSettings.embedded(tmp_path))
    try:
        with pytest.raises(DataDirectoryInUse, match=rf"in use by another process \(pid {os.getpid()}\)"):
            Store.open(StoreSettings.embedded(tmp_path))
    finally:
        first.close()
    Store.open(StoreSettings.embedded(tmp_path)).close()


@pytest.mark.usefixtures("no_engine")
def test_what_was_inserted_survives_kill_9(tmp_path: Path) -> None:
    """The child is killed right after its insert returned; its lock dies with it and its row does not."""
    program = (
        "import os, signal, sys\n"
        "from store import Store, StoreSettings, migrate\n"
        "store = Store.open(StoreSettings.embedded(sys.argv[1]))\n"
        "migrate.apply(store)\n"
        "store.insert_bytes('entities', b'{\"EntityName\": \"kept\"}', 'JSONEachRow')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    child = subprocess.run([sys.executable, "-c", program, str(tmp_path)], cwd=ROOT, check=False, timeout=60)
    assert child.returncode == -9
    store = Store.open(StoreSettings.embedded(tmp_path))
    try:
        assert migrate.apply(store) == []
        assert store.arrow_text("SELECT EntityName FROM entities")["EntityName"].to_pylist() == ["kept"]
    finally:
        store.close()


@pytest.mark.usefixtures("no_engine")
def test_the_data_directory_is_private_and_leftovers_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    data = tmp_path / "data"
    (data / "tmp").mkdir(parents=True)
    (data / "tmp" / "leftover").write_bytes(b"telemetry of a killed process")
    store = Store.open(StoreSettings.embedded(data))
    try:
        assert list((data / "tmp").iterdir()) == []
        assert (data / "tmp").stat().st_mode & 0o077 == 0
    finally:
        store.close()
