"""The one facade over ClickHouse: embedded chDB or a server, the same calls.

Owns engine handles, the data-directory lock and the private temporary directory. Other packages
see Arrow tables, polars frames and rows; they never see SQL text built from user input.
"""

from __future__ import annotations

import fcntl
import math
import os
import queue
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import clickhouse_connect
import polars as pl
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from store import cancel, sql
from store.errors import DataDirectoryInUse, StoreError, StoreUnavailable, from_engine
from store.pulse import Pulse
from store.settings import Home, StoreSettings

Params = Mapping[str, Any]

# Plain strings in Arrow output: polars joins on dictionaries of different tables are slow and warn. Set for the whole
# connection: around a query that is given settings, the embedded engine's driver looks them up, sets and resets them,
# and that takes longer than a small query.
_ARROW = {"output_format_arrow_low_cardinality_as_dictionary": 0, "output_format_arrow_string_as_string": 1}

_CONNECT_S = 2
_SLACK_S = 5


class Store:
    """A pool of engine handles on one database.

    Safe to use from many threads: each call borrows one handle. A handle that saw an engine
    error is thrown away, because chDB may answer the next query with the failed one's rest.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(settings.max_clients)
        self._lock_file: IO[str] | None = None
        self._outer_tempdir: str | None = None
        self._closed = False
        self._pulse: Pulse | None = None

    @classmethod
    def open(cls, settings: StoreSettings) -> Store:
        """Connect, taking the data directory's lock when embedded.

        Raises DataDirectoryInUse when another process has the directory, StoreUnavailable when
        no engine answers.
        """
        store = cls(settings)
        if settings.home is Home.EMBEDDED:
            store._claim_directory(settings.path)
        try:
            with store._handle("connect") as client:
                client.command(
                    f"CREATE DATABASE IF NOT EXISTS {settings.database}{store.on_cluster}", use_database=False
                )
        except StoreError:
            store.close()
            raise
        return store

    @property
    def home(self) -> Home:
        """Which kind of engine this store talks to."""
        return self.settings.home

    @property
    def answering(self) -> bool:
        """Whether the engine answered lately, as far as is known: only `watch_pulse` has it asked."""
        return self._pulse is None or self._pulse.answering

    def watch_pulse(self) -> None:
        """From now on, refuse calls at once while a server does not answer. An embedded engine needs no watching.

        Raises StoreUnavailable when there is no connection to begin with.
        """
        if self.home is Home.EMBEDDED or self._pulse is not None:
            return
        try:
            client = self._connect()
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailable(f"connect: {type(error).__name__}") from error
        self._pulse = Pulse(client.ping)
        self._pulse.start()

    @property
    def on_cluster(self) -> str:
        """The ON CLUSTER clause for DDL, empty outside a cluster."""
        return f" ON CLUSTER `{self.settings.cluster}`" if self.settings.cluster else ""

    def _claim_directory(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Opened for appending: the owner's pid must survive a failed attempt to take the lock.
        handle = (path / "causeline.lock").open("a+")
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip() or "unknown"
            handle.close()
            raise DataDirectoryInUse(
                f"the data directory {path} is in use by another process (pid {owner}); "
                "stop that process or choose another directory with --data"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        self._lock_file = handle
        # chDB writes each insert to a temporary file; a killed process leaves telemetry behind in it.
        private = path / "tmp"
        shutil.rmtree(private, ignore_errors=True)
        private.mkdir(mode=0o700)
        self._outer_tempdir = tempfile.tempdir
        tempfile.tempdir = str(private)

    def _connect(self) -> Client:
        common: dict[str, Any] = {"settings": {"max_execution_time": self.settings.query_timeout_s, **_ARROW}}
        if self.home is Home.EMBEDDED:
            return clickhouse_connect.get_client(interface="chdb", path=str(self.settings.path / "db"), **common)
        dsn = self.settings.url.replace("clickhouse://", "http://", 1)
        return clickhouse_connect.get_client(
            dsn=dsn,
            autogenerate_session_id=False,
            connect_timeout=_CONNECT_S,
            # A little longer than the engine gives itself; without it a connection that was cut is waited for.
            send_receive_timeout=math.ceil(self.settings.query_timeout_s) + _SLACK_S,
            **common,
        )

    @contextmanager
    def _handle(self, what: str, *, reading: bool = False) -> Iterator[Client]:
        if self._closed:
            raise StoreUnavailable(f"{what}: the store is closed")
        if not self.answering:
            raise StoreUnavailable(f"{what}: the ClickHouse server does not answer")
        with self._slots:
            client: Client | None = None
            try:
                try:
                    client = self._idle.get_nowait()
                except queue.Empty:
                    client = self._connect()
                yield client
            except ClickHouseError as error:
                # An engine that answered, if only with an error, can be asked again on the same connection. But an
                # embedded one gives what it had written of a broken answer to whoever asks next.
                rest = reading and self.home is Home.EMBEDDED
                self._give_back(client, broken=rest or getattr(error, "code", None) is None)
                raise _translate(error, what) from error
            except OSError as error:
                self._give_back(client, broken=True)
                raise StoreUnavailable(f"{what}: {error.strerror or type(error).__name__}") from error
            else:
                self._give_back(client, broken=False)

    def _give_back(self, client: Client | None, *, broken: bool) -> None:
        if client is None:
            return
        if broken or self._closed:
            client.close()
        else:
            self._idle.put(client)

    def command(self, text: str, params: Params | None = None, settings: Params | None = None) -> Any:
        """Run a statement that changes something; for code in this package and migrations."""
        with self._handle("statement") as client:
            client.database = self.settings.database
            return client.command(text, parameters=dict(params or {}), settings=dict(settings or {}))

    def aside(self, text: str, params: Params) -> None:
        """Run a statement on a connection of its own, however busy the others are. Raises StoreError."""
        try:
            client = self._connect()
            try:
                client.command(text, parameters=dict(params))
            finally:
                client.close()
        except ClickHouseError as error:
            raise _translate(error, "statement") from error

    def execute(self, name: str, params: Params | None = None) -> None:
        """Run the named statement (store/sql/NAME.sql), which changes something."""
        self.command(sql.load(name), params)

    def arrow(self, name: str, params: Params | None = None, settings: Params | None = None) -> pa.Table:
        """Result of the named query (store/sql/NAME.sql) as an Arrow table."""
        return self.arrow_text(sql.load(name), params, settings, what=f"query {name}")

    def frame(self, name: str, params: Params | None = None) -> pl.LazyFrame:
        """Result of the named query as a lazy polars frame; times are Datetime(ns, UTC)."""
        return to_frame(self.arrow(name, params)).lazy()

    def rows(self, name: str, params: Params | None = None, settings: Params | None = None) -> list[dict[str, Any]]:
        """Result of the named query as dicts; for pages of API results, not for telemetry."""
        return _dicts(self.arrow(name, params, settings))

    def page(self, text: str, params: Params | None = None, settings: Params | None = None) -> list[dict[str, Any]]:
        """Result of text composed in this package as dicts; for pages of API results, not for telemetry."""
        return _dicts(self.arrow_text(text, params, settings))

    def arrow_text(
        self, text: str, params: Params | None = None, settings: Params | None = None, *, what: str = "query"
    ) -> pa.Table:
        """Result of SQL text written in this package (never user text) as an Arrow table."""
        with cancel.marked(settings) as marked, self._handle(what, reading=True) as client:
            client.database = self.settings.database
            found = client.raw_query(_with_settings(text, marked), parameters=dict(params or {}), fmt="Arrow")
            return pa.ipc.open_file(pa.BufferReader(found)).read_all()

    def data_path(self, table: str) -> Path:
        """Where an embedded engine keeps a table's parts. Raises StoreError."""
        return self.settings.path / "db" / str(self.rows("data_path", {"table": table})[0]["Path"])

    def insert_frame(self, table: str, frame: pl.DataFrame, settings: Params | None = None) -> None:
        """Append `frame` to `table`; column names must match the table's."""
        if frame.is_empty():
            return
        with self._handle(f"insert into {table}") as client:
            client.database = self.settings.database
            client.insert_arrow(table, frame.to_arrow(), settings=dict(settings or {}))

    def insert_bytes(
        self, table: str, payload: bytes | Sequence[bytes], fmt: str, settings: Params | None = None
    ) -> None:
        """Insert bytes already in a ClickHouse input format.

        Raises DataRejected when the engine cannot parse them, StoreUnavailable or
        StoreOverloaded when the same call may work later.
        """
        block = payload if isinstance(payload, bytes) else b"".join(payload)
        with self._handle(f"insert into {table}") as client:
            client.database = self.settings.database
            client.raw_insert(table, insert_block=block, fmt=fmt, settings=dict(settings or {}))

    def close(self) -> None:
        """Close every idle handle and release the data directory. Safe to call twice."""
        self._closed = True
        if self._pulse is not None:
            self._pulse.stop()
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                break
        if self._lock_file is not None:
            tempfile.tempdir = self._outer_tempdir
            self._lock_file.close()
            self._lock_file = None


def _dicts(table: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _with_settings(text: str, settings: Params | None) -> str:
    """A query with its settings as the last clause; names and values are this project's own."""
    if not settings:
        return text
    return f"{text}\nSETTINGS {', '.join(f'{name} = {value!r}' for name, value in settings.items())}"


def to_frame(table: pa.Table) -> pl.DataFrame:
    """Arrow to polars, never a Series, each column in one piece."""
    frame = pl.from_arrow(table)
    if isinstance(frame, pl.Series):
        frame = frame.to_frame()
    # The engine answers in many blocks; polars 2.1 panics now and then when it streams text in several pieces.
    return frame.rechunk()


def _translate(error: ClickHouseError, what: str) -> StoreError:
    code = getattr(error, "code", None)
    if code is None and isinstance(error, OperationalError):
        return StoreUnavailable(f"{what}: no answer from the engine")
    return from_engine(int(code) if code is not None else None, what, str(error))
