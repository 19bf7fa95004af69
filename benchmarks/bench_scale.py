"""How ingest and correlation scale: 1, 2 and 4 worker threads, on one ClickHouse server and on two shards.

    python benchmarks/bench_scale.py [--quick] [--shards 1,2] [--threads 1,2,4]

ingest       batches of 10,000 spans as OTLP into the landing tables, each thread one batch at a time: spans a second
             until they are stored, and processor seconds for a million, of the servers and of this process
correlation  quarter hours of a store of spans and series to signals, each thread one window at a time

Servers and threads share the machine. On one with two cores two shards cannot be faster than one; what they cost more
in processor time is what can be carried over to machines of their own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import machine  # noqa: E402
from benchmarks.payloads import trace_requests  # noqa: E402
from correlate.engine import detect  # noqa: E402
from correlate.settings import CorrelateSettings  # noqa: E402
from ingest.envelope import Landing, Signal, envelope  # noqa: E402
from store import Store, StoreSettings, Window, batches, migrate  # noqa: E402
from tests.kit.clickhouse_cluster import ClickHouseCluster  # noqa: E402

NS = 1_000_000_000
START = 1_800_000_000 // 3600 * 3600
REQUEST, BATCH = 500, 10_000
WINDOW_S = 900


class Home(NamedTuple):
    """A store and the servers' processes behind it."""

    store: Store
    pids: list[int]


class Cost(NamedTuple):
    """Seconds by the clock, and processor seconds of the servers and of this process."""

    wall: float
    servers: float
    own: float


def _busy(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measured(home: Home, threads: int, jobs: Sequence[Callable[[], object]]) -> Cost:
    """What doing all jobs costs, `threads` at a time."""
    servers, own, wall = sum(map(_busy, home.pids)), time.process_time(), time.monotonic()
    with ThreadPoolExecutor(threads) as pool:
        for done in [pool.submit(job) for job in jobs]:
            done.result()
    return Cost(time.monotonic() - wall, sum(map(_busy, home.pids)) - servers, time.process_time() - own)


@contextmanager
def running(shards: int) -> Iterator[Home]:
    """A migrated store on so many servers."""
    with tempfile.TemporaryDirectory() as folder, ClickHouseCluster(Path(folder), shards) as cluster:
        settings = cluster.settings("bench")
        if shards == 1:
            settings = StoreSettings(url=settings.url, database="bench")
        store = Store.open(settings)
        migrate.apply(store)
        yield Home(store, [node.pid for node in cluster.nodes])
        store.close()


def ingest(home: Home, threads: int, spans: int, seed: int) -> Cost:
    """Store `spans` spans."""
    landing = Landing(Signal.TRACES, nested=False)
    bodies = trace_requests(spans, REQUEST, START * NS, seed=seed)
    size = BATCH // REQUEST

    def job(number: int) -> Callable[[], object]:
        batch = batches.first_at(START * 1000 + seed * 10_000 + number)
        pieces = [piece for body in bodies[number * size : (number + 1) * size] for piece in envelope(
            "default", batch, START * NS, body
        )]  # fmt: skip
        return lambda: home.store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())

    return measured(home, threads, [job(number) for number in range(-(-len(bodies) // size))])


def filled(home: Home, spans: int, series: int) -> None:
    """An hour of spans and of series, made inside the engine, in a tenant's telemetry of its own day."""

    def made(name: str, **parameters: float) -> None:
        home.store.command((ROOT / f"benchmarks/{name}.sql").read_text(encoding="utf-8"), parameters)

    made("correlate_spans", start=START * NS, every=3600 * NS / spans, slow=(START + 3120) * NS, first=0, count=spans)
    made("correlate_series", start=START, steps=240, first=0, count=series)


def correlation(home: Home, threads: int) -> Cost:
    """Judge the four quarters of the hour."""
    settings = CorrelateSettings()

    def job(start: int) -> Callable[[], object]:
        window = Window(start * NS, (start + WINDOW_S) * NS)
        return lambda: detect(home.store, "default", window, settings)

    return measured(home, threads, [job(START + WINDOW_S * quarter) for quarter in range(4)])


def told(what: str, shards: int, threads: int, cost: Cost, spans: int, first: Cost) -> None:
    """Print one line."""
    million = spans / 1e6
    rate, speedup = spans / cost.wall, first.wall / cost.wall
    processor = f"processor {(cost.servers + cost.own) / million:6.1f} s a million spans"
    split = f"(servers {cost.servers / million:.1f}, own {cost.own / million:.1f})"
    print(f"{what:12} {shards} x server, {threads} threads {rate:9,.0f} spans/s  x {speedup:4.2f}  {processor} {split}")


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the telemetry")
    parser.add_argument("--shards", default="1,2")
    parser.add_argument("--threads", default="1,2,4")
    chosen = parser.parse_args()
    spans, series = (40_000, 400) if chosen.quick else (200_000, 2_000)
    machine.told("clickhouse-connect", "polars", more=", servers of tests/kit")
    for shards in map(int, chosen.shards.split(",")):
        with running(shards) as home:
            # The first insert compiles the schema, and views are analysed for the first time.
            ingest(home, 1, BATCH, seed=99)
            first: Cost | None = None
            for threads in map(int, chosen.threads.split(",")):
                cost = ingest(home, threads, spans, seed=threads)
                first = first or cost
                told("ingest", shards, threads, cost, spans, first)
            home.store.command("TRUNCATE TABLE otel_traces")
            filled(home, spans, series)
            correlation(home, 1)
            first = None
            for threads in map(int, chosen.threads.split(",")):
                cost = correlation(home, threads)
                first = first or cost
                told("correlation", shards, threads, cost, spans, first)


if __name__ == "__main__":
    main()
