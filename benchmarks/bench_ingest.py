"""What ingest costs: spans a second acknowledged over HTTP, and microseconds a row against ready blocks.

    python benchmarks/bench_ingest.py [--spans 300000]

The floor is the same rows, already decoded, inserted as Native blocks into an identical, empty table
with the same trace lookup view. Server, engine and load generator share the machine.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import platform
import queue
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from ingest.envelope import Landing, Signal, envelope  # noqa: E402
from ingest.pipeline import Pipeline  # noqa: E402
from ingest.receiver import create_app  # noqa: E402
from ingest.settings import IngestSettings  # noqa: E402
from store import Store, StoreSettings, migrate  # noqa: E402
from tests.kit.otlp import busy_request, serialized  # noqa: E402

SPANS = 500
CONNECTIONS = 32
BATCH = 50_000
PATTERN = re.compile(r"running on http://127\.0\.0\.1:(\d+)")


def serve(data: Path) -> None:
    """The receiver on a free loopback port, until standard input closes."""
    import uvicorn

    store = Store.open(StoreSettings.embedded(data))
    migrate.apply(store)
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60))
    pipeline.start()
    server = uvicorn.Server(
        uvicorn.Config(create_app(pipeline), host="127.0.0.1", port=0, log_level="info", access_log=False)
    )

    def stop() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop, daemon=True).start()
    server.run()
    pipeline.stop()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"    receiver: {pipeline.stats()}, peak memory {peak:,.0f} MiB", flush=True)
    store.close()


def load(port: int, bodies: list[bytes], headers: dict[str, str]) -> tuple[float, list[float]]:
    """Send every body once over CONNECTIONS connections; seconds taken and each request's latency."""
    work: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in bodies:
        work.put(body)
    latencies: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while True:
            try:
                body = work.get_nowait()
            except queue.Empty:
                break
            started = time.perf_counter()
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 200:
                raise SystemExit(f"a request was answered {answer.status}")
            latencies.append(time.perf_counter() - started)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(CONNECTIONS)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started, sorted(latencies)


def over_http(data: Path, spans: int) -> None:
    """Spans a second acknowledged, gzip and identity."""
    seed = random.Random(1)
    child = subprocess.Popen(
        [sys.executable, __file__, "--serve", str(data)], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stderr is not None
    assert child.stdin is not None
    port = next(int(match[1]) for line in child.stderr if (match := PATTERN.search(line)))
    headers = {"Content-Type": "application/x-protobuf"}
    load(port, [serialized(busy_request(seed, SPANS)) for _ in range(8)], headers)
    for name, pack in (("gzip", lambda body: gzip.compress(body, 6)), ("identity", bytes)):
        plain = [serialized(busy_request(seed, SPANS)) for _ in range(spans // SPANS)]
        bodies = [pack(body) for body in plain]
        seconds, latencies = load(port, bodies, {**headers, "Content-Encoding": name})
        rate = len(bodies) * SPANS / seconds
        middle, late = latencies[len(latencies) // 2], latencies[len(latencies) * 99 // 100]
        volume = sum(map(len, plain)) / seconds / 1e6
        print(
            f"    {name:8} {rate:10,.0f} spans/s acknowledged, {volume:6.1f} MB/s decompressed, "
            f"{seconds:.1f} s, latency p50 {middle * 1000:.0f} ms p99 {late * 1000:.0f} ms"
        )
    child.stdin.close()
    child.wait()


def best(runs: int, action: Callable[[], None]) -> float:
    """Shortest of some runs, in seconds."""
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        action()
        times.append(time.perf_counter() - started)
    return min(times)


def against_floor(data: Path) -> None:
    """Microseconds a row: decoding and inserting against inserting what was decoded."""
    store = Store.open(StoreSettings.embedded(data))
    migrate.apply(store)
    seed = random.Random(2)
    bodies = [serialized(busy_request(seed, SPANS)) for _ in range(BATCH // SPANS)]
    pieces = [p for body in bodies for p in envelope("default", 1, time.time_ns(), body)]
    settings = Landing(Signal.TRACES, nested=False).settings()
    store.insert_bytes("landing_traces", pieces, "Protobuf", settings)
    store.command("CREATE TABLE floor_traces AS otel_traces")
    store.command("CREATE TABLE floor_ids AS otel_traces_trace_id_ts")
    view = next(s for m in migrate.migrations() for s in m.statements(store) if "otel_traces_trace_id_ts_mv" in s)
    view = view.replace("otel_traces_trace_id_ts_mv", "floor_mv").replace("TO otel_traces_trace_id_ts", "TO floor_ids")
    store.command(view.replace("FROM otel_traces", "FROM floor_traces"))
    with store._handle("benchmark") as client:
        ready = client.raw_query(
            "SELECT * FROM otel_traces WHERE Batch = 1", fmt="Native", settings={"max_block_size": BATCH}
        )
    decoded = best(7, lambda: store.insert_bytes("landing_traces", pieces, "Protobuf", settings))
    floor = best(7, lambda: store.insert_bytes("floor_traces", ready, "Native"))
    small = best(7, lambda: store.insert_bytes("landing_traces", pieces[:2], "Protobuf", settings))
    store.close()
    print(f"    OTLP, decoded by the engine   {decoded / BATCH * 1e6:6.2f} us a row")
    print(f"    ready Native blocks (floor)   {floor / BATCH * 1e6:6.2f} us a row")
    print(f"    ratio                         {decoded / floor:6.2f}")
    print(f"    one request of {SPANS} spans alone: {small * 1000:.0f} ms")


def main() -> None:
    """Run both benchmarks, or serve one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=300_000)
    parser.add_argument("--serve", type=Path)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    processor = model[1] if model else platform.processor()
    print(f"machine   {os.cpu_count()} x {processor}, {platform.system()} {platform.release()}")
    names = ("chdb", "clickhouse-connect", "starlette", "uvicorn")
    print(f"versions  Python {platform.python_version()}, {', '.join(f'{name} {version(name)}' for name in names)}")
    size = len(serialized(busy_request(random.Random(1), SPANS)))
    print(f"dataset   requests of {SPANS} spans, {size / 1000:.0f} kB; 8 resource and 9 span attributes; no events")
    with tempfile.TemporaryDirectory() as folder:
        print(f"over HTTP, {CONNECTIONS} connections, fsynced before the answer")
        over_http(Path(folder) / "http", arguments.spans)
        print(f"in process, batches of {BATCH:,} rows, fsynced")
        against_floor(Path(folder) / "floor")


if __name__ == "__main__":
    main()
