"""Bytes an item on disk, against the Collector's exporter's own tables holding the same rows."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.datasets import fresh
from benchmarks.receiver import TABLES
from benchmarks.systems import ROOT, statements
from ingest.envelope import Landing, Signal, envelope
from store import Store, StoreSettings, migrate

SCHEMA = ROOT / "benchmarks/exporter_schema.sql"
_STEP = 100


class Size(NamedTuple):
    """Rows of a table, compressed bytes of its columns, and all its bytes: indexes, keys and marks too."""

    rows: int
    columns: int
    all: int


def on_disk(folder: Path, signal: str, items: int) -> tuple[float, float]:
    """Shares saved, of the columns' bytes and of all bytes; prints a line a table."""
    store = Store.open(StoreSettings.embedded(folder))
    migrate.apply(store)
    # Not copies of each other at other times: those would compress better than telemetry does.
    made = fresh(signal, 500, items)
    landing = Landing(Signal(signal), nested=False)
    for batch, at in enumerate(range(0, len(made), _STEP), 1):
        pieces = [p for body in made[at : at + _STEP] for p in envelope("default", batch, time.time_ns(), body)]
        store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())
    tables = [*TABLES[signal], *(["otel_traces_trace_id_ts"] if signal == "traces" else [])]
    store.command("CREATE DATABASE exporter")
    for statement in statements(SCHEMA):
        store.command(statement.replace("CREATE TABLE ", "CREATE TABLE exporter.", 1))
    sizes = []
    for table in tables:
        _copy(store, table)
        store.command(f"OPTIMIZE TABLE {table} FINAL")
        store.command(f"OPTIMIZE TABLE exporter.{table} FINAL")
        sizes.append((_size(store, "default", table), _size(store, "exporter", table)))
    store.close()
    for table, (ours, theirs) in zip(tables, sizes, strict=True):
        # The lookup table has a row a trace and batch; what it costs is told per span.
        rows = sizes[0][0].rows if table == "otel_traces_trace_id_ts" else ours.rows
        print(
            f"    {table:25} columns {ours.columns / rows:6.1f} bytes a row against {theirs.columns / rows:6.1f},"
            f" all {ours.all / rows:6.1f} against {theirs.all / rows:6.1f}"
        )
    columns, everything = (
        1 - sum(ours[which] for ours, _ in sizes) / sum(theirs[which] for _, theirs in sizes) for which in (1, 2)
    )
    print(f"    {signal:25} columns {columns:.0%}, all {everything:.0%} less than the exporter's ({items:,} items)")
    return columns, everything


def _copy(store: Store, table: str) -> None:
    """The rows of a table of ours into the exporter's, whose columns ours has all."""
    if table == "otel_traces_trace_id_ts":
        text = "SELECT TraceId, min(Start) AS Start, max(End) AS End FROM otel_traces_trace_id_ts GROUP BY TraceId"
        store.command(f"INSERT INTO exporter.{table} {text}")
        return
    names = store.arrow_text(
        "SELECT name FROM system.columns WHERE database = 'exporter' AND table = {table:String}"
        " AND default_kind NOT IN ('ALIAS', 'MATERIALIZED') ORDER BY position",
        {"table": table},
    )["name"].to_pylist()
    columns = ", ".join(f"`{name}`" for name in names)
    store.command(f"INSERT INTO exporter.{table} ({columns}) SELECT {columns} FROM {table}")


def _size(store: Store, database: str, table: str) -> Size:
    found = store.arrow_text(
        "SELECT sum(rows) AS r, sum(data_compressed_bytes) AS c, sum(bytes_on_disk) AS a FROM system.parts"
        " WHERE active AND database = {database:String} AND table = {table:String}",
        {"database": database, "table": table},
    ).to_pylist()[0]
    return Size(int(found["r"]), int(found["c"]), int(found["a"]))
