"""What PromQL costs: range queries over many series of six hours, made inside an embedded engine.

    python benchmarks/bench_promql.py [--quick] [--series 1000] [--data DIR]

Each query runs once to learn names and labels, then several times; medians by the clock and of the processor, with the
answer's JSON. On a busy machine compare processor time. With --data the store is kept and used again.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api.prometheus import encode  # noqa: E402
from query.promql.catalogue import Catalogue  # noqa: E402
from query.promql.engine import Engine  # noqa: E402
from query.promql.settings import PromqlSettings  # noqa: E402
from query.promql.stored import Stored  # noqa: E402
from store import Store, StoreSettings, migrate  # noqa: E402

START = 1_800_000_000
HOURS, EVERY_S = 6, 15
QUERIES = (
    "bench_requests_total",
    "sum(rate(bench_requests_total[5m]))",
    "sum by (zone) (rate(bench_requests_total[5m]))",
    "topk(5, rate(bench_requests_total[5m]))",
    'max_over_time(bench_requests_total{zone="zone-3"}[10m])',
    'bench_requests_total{pod="pod-7"}',
)


def fill(store: Store, series: int) -> None:
    """Store counters of `series` pods."""
    points = HOURS * 3600 // EVERY_S
    store.command(
        f"""
        INSERT INTO otel_metrics_sum (ResourceAttributes, ServiceName, MetricName, Attributes, TimeUnix, Value, Tenant,
            SeriesHash, AggregationTemporality, IsMonotonic)
        SELECT
            map('service.name', 'bench', 'k8s.pod.name', 'pod-' || toString(s)), 'bench', 'bench.requests',
            map('pod', 'pod-' || toString(s), 'zone', 'zone-' || toString(s % 10)),
            toDateTime64({START} + i * {EVERY_S} + (s % 15), 9, 'UTC'), i * (1 + s % 7) + s, 'default',
            cityHash64(s), 2, true
        FROM (SELECT number % {series} AS s, intDiv(number, {series}) AS i FROM numbers({series} * {points}))
        """
    )


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--series", type=int, default=1000)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = arguments.data or Path(folder)
        store = Store.open(StoreSettings.embedded(data))
        migrate.apply(store)
        if not store.arrow_text("SELECT 1 FROM otel_metrics_sum LIMIT 1").num_rows:
            fill(store, 100 if arguments.quick else arguments.series)
        settings = PromqlSettings()
        engine = Engine(Stored(Catalogue(store, settings), "default"))
        for query in QUERIES:
            measure(engine, query, 3 if arguments.quick else 7)
        store.close()


def measure(engine: Engine, query: str, rounds: int) -> None:
    """Print the medians of one query at a step of a minute."""
    start, end = START * 1000, (START + HOURS * 3600) * 1000
    walls, processors = [], []
    for number in range(rounds + 1):
        wall, processor = time.perf_counter(), time.process_time()
        answer = engine.range(query, start, end, 60_000)
        size = len(encode.matrix(answer.value, answer.times)[0])
        if number:
            walls.append(1000 * (time.perf_counter() - wall))
            processors.append(1000 * (time.process_time() - processor))
        else:
            first = 1000 * (time.perf_counter() - wall)
    print(
        f"{query:58} p50 {statistics.median(walls):7.0f} ms, processor {statistics.median(processors):6.0f} ms, "
        f"first {first:6.0f} ms, {size / 1e6:.2f} MB",
        flush=True,
    )


if __name__ == "__main__":
    main()
