"""What it costs to ask: the incident API, traces, evidence and PromQL while telemetry comes in.

    python benchmarks/bench_query.py [--quick] [--only api,promql]

api      the incident list, an incident, the records behind its signals, and a trace by its id
promql   range queries over 1,000 series and six hours, beside Debian's Prometheus with the same samples
         (`apt-get install prometheus`; left out where there is none)

A running system holds 50 M points of 5,000 series, 10 M spans, 20 M log records and 2,000 incidents (a fifth of that
with --quick), made inside the engine and marked as judged. Meanwhile it receives spans at half of what it can, and
correlates them as they come. One client asks one question at a time over HTTP. Prometheus is asked in turns with us,
from the same client, and has nothing else to do. Everything shares the machine.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api.client import ApiClient  # noqa: E402
from api.commands.correlate import back_fill  # noqa: E402
from api.demo.play import play  # noqa: E402
from benchmarks import datasets, machine, prometheus_peer  # noqa: E402
from benchmarks.load import write_requests  # noqa: E402
from benchmarks.rates import finish, start_client  # noqa: E402
from store import Store, StoreSettings, migrate  # noqa: E402
from tests.kit.running import Up  # noqa: E402

SECTIONS = ("api", "promql")
NS = 1_000_000_000
STEP_S = 15
PODS = 1000
HOURS = 6
INCIDENTS = 2000
REQUEST_SPANS = 500
# Requests a question is asked with, and how long the load must last for all of them.
ASKED, LOAD_S = 200, 240.0
RANGES = (
    "sum by (zone) (rate(bench_requests_total[5m]))",
    "avg by (zone) (bench_load)",
    "max by (job) (max_over_time(bench_load[10m]))",
    "bench_load > 0",
)


def made(store: Store, name: str, **parameters: float) -> None:
    """Run one of the .sql files beside this one."""
    store.command((ROOT / f"benchmarks/{name}.sql").read_text(encoding="utf-8"), parameters)


def fill(folder: Path, share: float, end: int) -> None:
    """Points, spans and log records until `end`, in seconds."""
    store = Store.open(StoreSettings.embedded(folder))
    migrate.apply(store)
    steps, portion = int(10_000 * share), 500
    for first in range(0, steps, portion):
        for name in ("query_gauges", "query_counters"):
            made(store, name, start=end - steps * STEP_S, first_step=first, steps=portion, series=PODS)
    spans, records = int(10_000_000 * share), int(20_000_000 * share)
    begin = (end - HOURS * 3600) * NS
    for part in range(10):
        first, count = part * spans // 10, spans // 10
        every = HOURS * 3600 * NS / (spans / 10)
        made(store, "correlate_spans", start=begin, every=every, slow=end * NS, first=first, count=count)
        every = HOURS * 3600 * NS / records
        made(store, "query_logs", start=begin, every=every, first=part * records // 10, count=records // 10)
    # Else all of it is telemetry that came late, and the worker judges six hours again while questions are asked.
    made(store, "query_judged", start=begin, end=(end + 3600) * NS)
    store.close()
    print(f"dataset   {5 * PODS * steps:,} points of {5 * PODS:,} series, {spans:,} spans, {records:,} log records")


def real_incidents(folder: Path, incidents: int) -> None:
    """The demo's incidents, correlated for real, and copies of them at other times."""
    with Up(folder) as system:
        played = play(system.otlp, lambda _share, _simulated: None)
        with ApiClient(system.api) as client:
            back_fill(client, played.start, played.end)
    store = Store.open(StoreSettings.embedded(folder))
    found = int(store.arrow_text("SELECT count() AS n FROM incidents FINAL")["n"][0].as_py())
    if not found:
        raise SystemExit("the demo's telemetry gave no incident")
    copies = -(-incidents // found)
    for name in ("query_signals", "query_held", "query_incidents"):
        made(store, name, copies=copies)
    store.close()
    print(f"dataset   {found * (copies + 1):,} incidents")


@contextmanager
def ingesting(system: Up, folder: Path) -> Iterator[None]:
    """Spans at half of the system's own peak, measured first."""
    port = int(system.otlp.rsplit(":", 1)[1])
    file = folder / "spans"
    few = 120
    write_requests(file, "/v1/traces", datasets.bodies("traces", REQUEST_SPANS, few * REQUEST_SPANS, 0), "identity")
    report = finish(start_client(port, file, 16, None))
    rate = few / (report["ended"] - report["started"]) / 2
    number = int(rate * LOAD_S)
    write_requests(file, "/v1/traces", datasets.bodies("traces", REQUEST_SPANS, number * REQUEST_SPANS, 1), "identity")
    client = start_client(port, file, 16, rate)
    print(f"load      {rate * REQUEST_SPANS:,.0f} spans/s, half of the peak")
    try:
        yield
        if client.poll() is not None:
            print("          the load ended before the questions did")
    finally:
        client.kill()
        client.communicate()


class Asker:
    """Asks one question at a time and tells what the answers took."""

    def __init__(self, base: str) -> None:
        self._client = httpx.Client(base_url=base, timeout=60)

    def timed(self, path: str, **params: str | float) -> float:
        """Milliseconds until the whole answer is here."""
        started = time.perf_counter()
        self._client.get(path, params=params).raise_for_status()
        return (time.perf_counter() - started) * 1e3

    def json(self, path: str, **params: str | float) -> dict[str, object]:
        """An answer."""
        found: dict[str, object] = self._client.get(path, params=params).raise_for_status().json()
        return found


def told(what: str, ask: Callable[[int], float], p50: float = 0.0, p99: float = 0.0, number: int = ASKED) -> None:
    """Ask `number` times after three for warming up, and print medians and tails beside the bars."""
    for n in range(3):
        ask(n)
    took = sorted(ask(n) for n in range(number))
    median, tail = statistics.median(took), took[int(len(took) * 0.99)]
    bars = ", ".join(
        f"bar {name} {bar:.0f} ms (x {figure / bar:.2f})"
        for name, bar, figure in (("p50", p50, median), ("p99", p99, tail)) if bar
    )  # fmt: skip
    print(f"{what:58} p50 {median:7.1f}, p99 {tail:7.1f} ms; {bars}", flush=True)


def api(system: Up, end: int) -> None:
    """The incident API, over telemetry until `end`, in seconds."""
    asker = Asker(system.api)
    page = asker.json("/api/v1/incidents", limit=200)["incidents"]
    assert isinstance(page, list)
    ids = [incident["id"] for incident in page]
    detail = asker.json(f"/api/v1/incidents/{ids[0]}")["evidence"]
    assert isinstance(detail, list)
    signals = [evidence["signal_id"] for evidence in detail]
    spans = asker.json("/api/v1/spans", service="svc-5", limit=100, start=end - 600, end=end)["spans"]
    assert isinstance(spans, list)
    traces = [span["trace_id"] for span in spans]
    told("incidents, a page of 50", lambda n: asker.timed("/api/v1/incidents", limit=50), p99=100)
    told("incidents, searched", lambda n: asker.timed("/api/v1/incidents", q="gpu", severity="critical"), p99=100)
    told("an incident", lambda n: asker.timed(f"/api/v1/incidents/{ids[n % len(ids)]}"), p99=100)
    told("a signal's evidence", lambda n: asker.timed(f"/api/v1/signals/{signals[n % len(signals)]}/evidence"), p99=200)
    told("a trace by its id", lambda n: asker.timed(f"/api/v1/traces/{traces[n % len(traces)]}"), p99=50)


def _asked(asker: Asker, query: str, span: dict[str, str | float], _number: int) -> float:
    return asker.timed("/api/v1/query_range", query=query, **span)


def promql(system: Up, folder: Path, end: int, asked: int) -> None:
    """Range queries over 1,000 series, beside Prometheus."""
    ours = Asker(f"{system.api}/prometheus")
    span: dict[str, str | float] = {"start": end - HOURS * 3600, "end": end, "step": 60}
    for query in RANGES:
        told(query, partial(_asked, ours, query, span), p50=150, number=asked)
    lines = folder / "samples"
    if not lines.exists():
        print("Prometheus is not installed: no comparison")
        return
    with prometheus_peer.running(folder, lines) as base:
        theirs = Asker(base)
        for query in RANGES:
            pairs = [(_asked(ours, query, span, n), _asked(theirs, query, span, n)) for n in range(20)]
            mine, other = (statistics.median(side) for side in zip(*pairs, strict=True))
            print(f"{query:58} p50 {mine:7.1f}, Prometheus {other:7.1f} ms (x {mine / other:.2f})", flush=True)


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the data, fewer questions")
    parser.add_argument("--only", default=",".join(SECTIONS))
    arguments = parser.parse_args()
    share, asked = (0.2, 20) if arguments.quick else (1.0, 50)
    machine.told("chdb-core", "fastapi", "uvicorn", "numpy", "promql-parser")
    end = int(time.time()) // 60 * 60 - 3600
    with tempfile.TemporaryDirectory(prefix="bench-query-") as name:
        folder, store = Path(name), Path(name) / "store"
        real_incidents(store, int(INCIDENTS * share))
        fill(store, share, end)
        if prometheus_peer.installed():
            prometheus_peer.export(store, folder / "samples", end - HOURS * 3600 - 900, end)
        with Up(store) as system, ingesting(system, folder):
            if "api" in arguments.only:
                api(system, end)
            if "promql" in arguments.only:
                promql(system, folder, end, asked)


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.stderr or str(error)) from error
