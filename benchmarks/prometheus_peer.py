"""Debian's Prometheus with the samples of our own store, as the peer of range queries."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from store import Store, StoreSettings
from tests.kit.clickhouse_server import free_port

_START_S = 60.0
# The metrics of bench_query.py's range queries: table, name here, name there, type.
_METRICS = (
    ("otel_metrics_gauge", "bench.load", "bench_load", "gauge"),
    ("otel_metrics_sum", "bench.requests", "bench_requests_total", "counter"),
)
_LINES = """SELECT concat('{there}{{job="', ServiceName, '",pod="', Attributes['pod'], '",zone="', Attributes['zone'],
    '"}} ', toString(Value), ' ', toString(toUnixTimestamp(TimeUnix))) AS line
FROM {table} WHERE Tenant = 'default' AND MetricName = '{here}' AND TimeUnix BETWEEN {start} AND {end}
ORDER BY SeriesHash, TimeUnix"""


def installed() -> bool:
    """Whether there are a Prometheus and the tool that makes its blocks."""
    return bool(shutil.which("prometheus") and shutil.which("promtool"))


def export(folder: Path, file: Path, start: int, end: int) -> None:
    """Samples between two times in seconds, as OpenMetrics."""
    store = Store.open(StoreSettings.embedded(folder))
    with file.open("w", encoding="utf-8") as out:
        for table, here, there, kind in _METRICS:
            out.write(f"# TYPE {there.removesuffix('_total')} {kind}\n")
            lines = store.arrow_text(_LINES.format(there=there, table=table, here=here, start=start, end=end))["line"]
            for chunk in lines.chunks:
                out.write("\n".join(chunk.to_pylist()) + "\n")
        out.write("# EOF\n")
    store.close()


@contextmanager
def running(folder: Path, samples: Path) -> Iterator[str]:
    """Prometheus with those samples; its address."""
    blocks, config, port = folder / "blocks", folder / "prometheus.yml", free_port()
    subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(samples), str(blocks)],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    config.write_text("global: {}\n", encoding="utf-8")
    command = ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={blocks}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=10y", "--log.level=error"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    base = f"http://127.0.0.1:{port}"
    try:
        _wait(base)
        yield base
    finally:
        process.terminate()
        process.wait(20)


def _wait(base: str) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{base}/-/ready", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    raise SystemExit("Prometheus did not start")
