"""What decoding costs over the least there is to do: inserting the same rows as ready Native blocks."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from benchmarks.datasets import bodies
from benchmarks.receiver import TABLES
from ingest.envelope import Landing, Signal, envelope
from store import Store, StoreSettings, migrate

BATCH = 50_000


class Cost(NamedTuple):
    """Seconds on the clock, and of the processor over all threads of the process."""

    wall: float
    cpu: float


def timed(action: Callable[[], None]) -> Cost:
    """What an action takes. The embedded engine's threads are this process's."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return Cost(time.perf_counter() - wall, time.process_time() - cpu)


def against_floor(folder: Path, signal: str, rounds: int) -> tuple[float, float]:
    """Ratios (clock, processor) of landing a batch of OTLP to inserting its rows; prints the costs.

    Both go into tables of the same definition with the same views, fsynced, in turns; merges are off meanwhile.
    """
    store = Store.open(StoreSettings.embedded(folder))
    migrate.apply(store)
    made = bodies(signal, 500, BATCH)
    pieces = [piece for body in made for piece in envelope("default", 1, time.time_ns(), body)]
    landing = Landing(Signal(signal), nested=False)
    settings = landing.settings()
    store.insert_bytes(landing.table, pieces, "Protobuf", settings)
    blocks = {f"floor_{table}": _block(store, table) for table in TABLES[signal]}
    _floor_tables(store, signal)
    store.command("SYSTEM STOP MERGES")

    def land() -> None:
        store.insert_bytes(landing.table, pieces, "Protobuf", settings)

    def insert() -> None:
        for table, block in blocks.items():
            store.insert_bytes(table, block, "Native")

    for warm_up in (land, insert):
        warm_up()
    pairs = [(timed(land), timed(insert)) for _ in range(rounds)]
    rows = sum(int(store.arrow_text(f"SELECT count() AS n FROM {t}")["n"][0].as_py()) for t in blocks) // (rounds + 1)
    few = [timed(lambda: store.insert_bytes(landing.table, pieces[:2], "Protobuf", settings)) for _ in range(rounds)]
    alone = Cost(*(statistics.median(c) * 1e3 for c in zip(*few, strict=True)))
    store.close()
    wall = statistics.median(a.wall / b.wall for a, b in pairs)
    cpu = statistics.median(a.cpu / b.cpu for a, b in pairs)
    for name, costs in (("OTLP", [a for a, _ in pairs]), ("ready blocks", [b for _, b in pairs])):
        clock, processor = (statistics.median(c) / rows * 1e6 for c in zip(*costs, strict=True))
        print(f"    {signal:8} {name:13} {clock:6.2f} us a row, {processor:6.2f} us of processor")
    print(f"    {signal:8} ratio         {wall:6.2f} x         {cpu:6.2f} x")
    print(f"    {signal:8} one request of 500 alone: {alone.wall:.0f} ms, {alone.cpu:.0f} ms of processor")
    return wall, cpu


def _block(store: Store, table: str) -> bytes:
    """All rows of a table as one Native block."""
    with store._pool.handle("benchmark") as client:
        found: bytes = client.raw_query(f"SELECT * FROM {table}", fmt="Native", settings={"max_block_size": BATCH})
        return found


def _floor_tables(store: Store, signal: str) -> None:
    """Empty twins of the signal's tables, and of the view that hangs on spans."""
    for table in TABLES[signal]:
        store.command(f"CREATE TABLE floor_{table} AS {table}")
    if signal == "traces":
        store.command("CREATE TABLE floor_ids AS otel_traces_trace_id_ts")
        text = store.arrow_text(
            "SELECT create_table_query AS q FROM system.tables"
            " WHERE database = currentDatabase() AND name = 'otel_traces_trace_id_ts_mv'"
        )["q"][0].as_py()
        select = re.search(r"\bAS\s+(SELECT .*)", text, re.DOTALL)
        assert select is not None
        # The view reads from the qualified name of its table.
        moved = re.sub(r"\bFROM (\S*\.)?`?otel_traces`?", "FROM floor_otel_traces", select[1])
        store.command(f"CREATE MATERIALIZED VIEW floor_mv TO floor_ids AS {moved}")
