"""What ingest costs, next to a peer and next to the least there is to do.

    python benchmarks/bench_ingest.py [--quick] [--only rates,latency,floor,disk] [--signals ...] [--systems ...]
    python benchmarks/bench_ingest.py --minutes 10

rates    items a second until they can be queried: rotel's ClickHouse exporter and our receiver over the same server,
         and our receiver over the embedded store. We answer when stored, rotel from memory; both are timed until
         count() has everything. Same requests, same client, in turns.
latency  the acknowledgement at 70 % of our peak, requests sent when due
floor    landing OTLP against inserting the same rows as ready Native blocks, embedded
disk     bytes a row against the Collector's exporter's own tables
minutes  steady load on the embedded store, and what grows

Everything shares the machine, the load generator too. On a busy one compare processor time (us/item), not the clock.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import datasets, disk, floor, machine, rates, soak  # noqa: E402
from benchmarks.systems import Arena, rotel_version, sql  # noqa: E402
from tests.kit import clickhouse_server  # noqa: E402

SIGNALS = ("traces", "logs", "metrics")
SECTIONS = ("rates", "latency", "floor", "disk")
SYSTEMS = ("rotel", "server", "embedded")
# Items a request and connections: what a collector sends, and what SDKs send.
SHAPES = ((500, 32), (50, 64))
SEPARATOR = ","


def header(arena: Arena) -> None:
    """The machine, the versions, how busy it is, the data."""
    server = f", server {sql(arena.server.url, 'SELECT version()').strip()}" if arena.server else ""
    machine.told("chdb-core", "clickhouse-connect", "starlette", "uvicorn", more=f", {rotel_version()}{server}")
    for signal in SIGNALS:
        made = datasets.bodies(signal, 500, 2000)
        print(f"dataset   {signal}: {sum(map(len, made)) / len(made) / 500:.0f} bytes an item, 8 resource attributes")


def wanted(text: str, known: tuple[str, ...]) -> list[str]:
    """Names given with commas, checked."""
    names = text.split(SEPARATOR)
    if unknown := set(names) - set(known):
        raise SystemExit(f"{', '.join(unknown)}: not one of {', '.join(known)}")
    return names


def measure_rates(arena: Arena, arguments: argparse.Namespace, systems: list[str], latency: bool) -> None:
    """Rates for every signal and shape, then latencies of ours for traces."""
    items = arguments.items or (40_000 if arguments.quick else 200_000)
    for signal in wanted(arguments.signals, SIGNALS):
        for size, connections in SHAPES[:1] if arguments.quick and signal != "traces" else SHAPES:
            data = datasets.prepare(arena.folder, signal, size, connections, items)
            runs = rates.compare(arena, systems, data, arguments.rounds)
            for name in systems if latency and signal == "traces" else []:
                if name != "rotel":
                    rates.paced(arena, name, data, rates.middle(runs[name]))


def main() -> None:
    """Run the sections asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer items, one round: under a minute when idle")
    parser.add_argument("--only", default=SEPARATOR.join(SECTIONS))
    parser.add_argument("--signals", default=SEPARATOR.join(SIGNALS))
    parser.add_argument("--systems", default=SEPARATOR.join(SYSTEMS))
    parser.add_argument("--rounds", type=int, help="repetitions of each rate, 3 unless quick")
    parser.add_argument("--items", type=int, help="items a run of a rate sends")
    parser.add_argument("--minutes", type=float, help="only the soak, so long")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (1 if arguments.quick else 3)
    sections, signals = wanted(arguments.only, SECTIONS), wanted(arguments.signals, SIGNALS)
    systems = wanted(arguments.systems, SYSTEMS)
    if not clickhouse_server.installed() and set(systems) != {"embedded"}:
        print(f"only the embedded store is measured: {clickhouse_server.ABSENT}")
        systems = ["embedded"]
    with tempfile.TemporaryDirectory(prefix="causeline-bench-") as name, ExitStack() as undo:
        folder = Path(name)
        server = None
        if set(systems) != {"embedded"} and not arguments.minutes and {"rates", "latency"} & set(sections):
            (folder / "server").mkdir()
            server = undo.enter_context(clickhouse_server.ClickHouseServer(folder / "server"))
        arena = Arena(folder, server)
        header(arena)
        if arguments.minutes:
            soak.soak(arena, arguments.minutes)
            return
        if {"rates", "latency"} & set(sections):
            print("rates until queryable; gzip requests, items x connections; medians and ranges")
            measure_rates(arena, arguments, systems, "latency" in sections)
        if "floor" in sections:
            print(f"floor, embedded, batches of {floor.BATCH:,} rows, fsynced; medians of rounds in turns")
            for signal in signals:
                floor.against_floor(folder / f"floor-{signal}", signal, 3 if arguments.quick else 9)
        if "disk" in sections:
            print("bytes on disk after OPTIMIZE FINAL, embedded")
            for signal in signals:
                disk.on_disk(folder / f"disk-{signal}", signal, 30_000 if arguments.quick else 100_000)


if __name__ == "__main__":
    main()
