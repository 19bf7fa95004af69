"""The one facade over ClickHouse: embedded chDB or a server, the same calls.

Owns engine handles (store/pool.py) and the embedded engine's data directory (store/directory.py). Other packages
see Arrow tables, polars frames and rows; they never see SQL text built from user input.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from store import cancel, sql
from store.cluster import Layout
from store.connection import connect, connect_to_ping
from store.directory import DataDirectory
from store.errors import StoreError, StoreUnavailable
from store.pool import Pool, translate
from store.pulse import Pulse
from store.settings import Home, StoreSettings
from store.unwritten import Unwritten

Params = Mapping[str, Any]
# For queries that read a few rows: to start more threads, and to wait for them, costs more than they save.
ONE_THREAD: Params = {"max_threads": 1}
_IDENTIFIER, _NAME = re.compile(r"\{(\w+):Identifier\}"), re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Store:
    """Pools of engine handles on one database: one to write, one to read when readers have a user of their own.

    Safe to use from many threads: each call borrows one handle.
    """

    def __init__(self, settings: StoreSettings) -> None:
        self.settings = settings
        self._directory: DataDirectory | None = None
        self._closed = False
        self._pulse: Pulse | None = None
        self._unwritten: Unwritten | None = None
        self._pool = Pool(self._connect, settings.max_clients, self._refuse_while_dead)
        self._nodes = [Pool(partial(self._connect, url), 1) for url in settings.nodes]
        self._readers = self._pool
        if settings.query_url:
            reader = partial(self._connect, settings.query_url, reading=True)
            self._readers = Pool(reader, settings.max_clients, self._refuse_while_dead)

    @classmethod
    def open(cls, settings: StoreSettings) -> Store:
        """Connect, taking the data directory's lock when embedded.

        Raises DataDirectoryInUse when another process has the directory, StoreUnavailable when
        no engine answers.
        """
        store = cls(settings)
        if settings.home is Home.EMBEDDED:
            store._directory = DataDirectory(settings.path)
        try:
            store._need_database()
            if settings.home is Home.EMBEDDED:
                store._unwritten = Unwritten(store._count_failed_writes)
        except StoreError:
            store.close()
            raise
        return store

    def _need_database(self) -> None:
        # Asked first: a user who may only read or insert cannot make one, and need not.
        with self._pool.handle("connect") as client:
            there = client.command(f"EXISTS DATABASE {self.settings.database}", use_database=False)
        if not there:
            self._change(f"CREATE DATABASE IF NOT EXISTS {self.settings.database}", None, None, database=False)

    def _count_failed_writes(self) -> int:
        return sum(row["failed"] for row in self.rows("failed_writes"))

    @property
    def failed_writes(self) -> int:
        """Writes that an embedded engine could not make since it was opened; none of a server's."""
        return self._unwritten.failed if self._unwritten else 0

    def _whole(self, what: str) -> AbstractContextManager[None]:
        return self._unwritten.told(what) if self._unwritten else nullcontext()

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
            client = connect_to_ping(self.settings, self.settings.url)
        except (ClickHouseError, OSError) as error:
            raise StoreUnavailable(f"connect: {type(error).__name__}") from error
        self._pulse = Pulse(client.ping, client.close)
        self._pulse.start()

    def _refuse_while_dead(self, what: str) -> None:
        if not self.answering:
            raise StoreUnavailable(f"{what}: the ClickHouse server does not answer")

    @property
    def layout(self) -> Layout | None:
        """How tables are laid out over a cluster; None outside one."""
        given = self.settings
        if given.home is not Home.CLUSTER:
            return None
        return Layout(given.cluster, given.database, given.replicated, on_cluster=not given.nodes)

    def _connect(self, url: str = "", *, reading: bool = False) -> Client:
        return connect(self.settings, url or self.settings.url, reading=reading)

    def command(self, text: str, params: Params | None = None, settings: Params | None = None) -> Any:
        """Run a statement that changes something; for code in this package and migrations.

        In a cluster, what changes a table does so on every node (store/cluster.py). Raises StoreError.
        """
        with self._whole("statement"):
            return self._change(text, params, settings, database=True)

    def _change(self, text: str, params: Params | None, settings: Params | None, *, database: bool) -> Any:
        layout, result = self.layout, None
        for step, everywhere in layout.steps(_spelled(text, params or {})) if layout else ((text, False),):
            for pool in self._nodes if everywhere and self._nodes else [self._pool]:
                with pool.handle("statement") as client:
                    client.database = self.settings.database
                    given: dict[str, Any] = {"parameters": dict(params or {}), "settings": dict(settings or {})}
                    result = client.command(step, use_database=database, **given)
        return result

    def everywhere(self, text: str) -> None:
        """Run a statement about no table on every node; `${on_cluster}` in it is the clause that passes it on."""
        filled = text.replace("${on_cluster}", self.layout.clause if self.layout else "")
        for pool in self._nodes or [self._pool]:
            with pool.handle("statement") as client:
                client.command(filled, use_database=False)

    def aside(self, text: str, params: Params) -> None:
        """Run a statement on a connection of its own, however busy the others are. Raises StoreError."""
        try:
            client = self._connect()
            try:
                client.command(text, parameters=dict(params))
            finally:
                client.close()
        except ClickHouseError as error:
            raise translate(error, "statement") from error

    def execute(self, name: str, params: Params | None = None) -> None:
        """Run the named statement (store/sql/NAME.sql), which changes something."""
        self.command(sql.load(name), params)

    def arrow(self, name: str, params: Params | None = None, settings: Params | None = None) -> pa.Table:
        """Result of the named query (store/sql/NAME.sql) as an Arrow table."""
        text = sql.asked(sql.load(name, clustered=self.home is Home.CLUSTER), params or {})
        return self.arrow_text(text, self._placed(text, params), settings, what=f"query {name}")

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
        given = dict(params or {})
        pool, identity = self._pool, {}
        if self._readers is not self._pool and "tenant" in given:
            # Row policies of the reading user go by it: a second net below the queries' own condition.
            pool, identity = self._readers, {self.settings.tenant_setting: self.settings.tenant_value(given["tenant"])}
        # An embedded engine gives what it had written of a broken answer to whoever asks next.
        with cancel.marked(settings) as marked, pool.handle(what, once=self.home is Home.EMBEDDED) as client:
            client.database = self.settings.database
            found = client.raw_query(_with_settings(text, marked), given, settings=identity, fmt="Arrow")
            return pa.ipc.open_file(pa.BufferReader(found)).read_all()

    def _placed(self, text: str, params: Params | None) -> Params | None:
        # A driver that is given parameters for a text without any takes `%` for something of its own.
        if "{cluster:String}" not in text:
            return params
        return {"cluster": self.settings.cluster, "database": self.settings.database, **(params or {})}

    def data_path(self, table: str) -> Path:
        """Where an embedded engine keeps a table's parts. Raises StoreError."""
        return self.settings.path / "db" / str(self.rows("data_path", {"table": table})[0]["Path"])

    def insert_frame(self, table: str, frame: pl.DataFrame, settings: Params | None = None) -> None:
        """Append `frame` to `table`; column names must match the table's."""
        if frame.is_empty():
            return
        what = f"insert into {table}"
        with self._whole(what), self._pool.handle(what) as client:
            client.database = self.settings.database
            client.insert_arrow(table, frame.to_arrow(), settings=dict(settings or {}))

    def insert_bytes(
        self, table: str, payload: bytes | Sequence[bytes], fmt: str, settings: Params | None = None
    ) -> None:
        """Insert bytes already in a ClickHouse input format.

        Raises DataRejected when the engine cannot parse them, StoreUnavailable or
        StoreOverloaded when the same call may work later. Rows may be there then, whole or in part.
        """
        whole = payload if isinstance(payload, bytes) else b"".join(payload)
        # The driver sends bytes again when a server closes the connection, which may be after it stored them: what it
        # can read only once it sends only once.
        block = whole if self.home is Home.EMBEDDED else (piece for piece in (whole,))
        what = f"insert into {table}"
        with self._whole(what), self._pool.handle(what) as client:
            client.database = self.settings.database
            client.raw_insert(table, insert_block=block, fmt=fmt, settings=dict(settings or {}))

    def close(self) -> None:
        """Close every idle handle and release the data directory. Safe to call twice."""
        self._closed = True
        if self._pulse is not None:
            self._pulse.stop()
        for pool in (self._pool, self._readers, *self._nodes):
            pool.close()
        if self._directory is not None:
            self._directory.release()
            self._directory = None


def _dicts(table: pa.Table) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = table.to_pylist()
    return found


def _spelled(text: str, params: Params) -> str:
    """A statement with the names of tables that it is given as parameters; other parameters stay what they are."""

    def name(match: re.Match[str]) -> str:
        given = str(params[match[1]])
        return given if _NAME.fullmatch(given) else match[0]

    return _IDENTIFIER.sub(name, text)


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
