"""Debian's Prometheus scrapes a target and writes to us: every series and value that it has, we have."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.remote_write import PATH
from ingest.settings import IngestSettings
from store import Store
from tests.conftest import missing
from tests.kit.clickhouse_server import free_port
from tests.kit.exposition import BRIEF, SPAN, TRACE, Target, native
from tests.kit.landing import rows
from tests.kit.serving import serving

CONFIG = """
global:
  scrape_interval: 1s
  external_labels: {{cluster: blue}}
scrape_configs:
  - job_name: shop/web
    static_configs: [{{targets: ["{target}"]}}]
  - job_name: native
    metrics_path: /native
    static_configs: [{{targets: ["{target}"]}}]
remote_write:
  - url: {url}
    send_exemplars: true
    send_native_histograms: true
    metadata_config: {{send: true, send_interval: 2s}}
    queue_config: {{batch_send_deadline: 200ms}}
"""
Samples = dict[tuple[tuple[str, str], ...], dict[int, Any]]


@contextmanager
def prometheus(folder: Path, target: str, url: str) -> Iterator[str]:
    """Prometheus' API while it scrapes `target` and writes to `url`."""
    program = shutil.which("prometheus")
    if program is None:
        missing("no prometheus on the path: apt-get install prometheus")
    config, port = folder / "prometheus.yml", free_port()
    config.write_text(CONFIG.format(target=target, url=url), encoding="utf-8")
    command = [str(program), f"--config.file={config}", f"--storage.tsdb.path={folder / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--enable-feature=native-histograms,exemplar-storage"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def until(missing_yet: Callable[[], Any], seconds: float = 90) -> None:
    """Return once nothing is missing."""
    deadline = time.monotonic() + seconds
    while left := missing_yet():
        assert time.monotonic() < deadline, left
        time.sleep(0.3)


def asked(api: str, path: str, **params: str) -> Any:
    """Data of an answer of Prometheus' API, None while it does not listen yet."""
    try:
        answer = httpx.get(f"{api}/api/v1/{path}", params=params, timeout=10)
    except httpx.TransportError:
        return None
    return answer.json()["data"] if answer.status_code == 200 else None


def scraped(api: str) -> Samples:
    """Every sample Prometheus has: labels -> milliseconds -> value, or count and sum of a native histogram."""
    found: Samples = {}
    data = asked(api, "query", query='{__name__=~".+"}[10m]')
    for series in data["result"] if data else ():
        points = {round(at * 1000): float(value) for at, value in series.get("values", ())}
        points |= {
            round(at * 1000): (float(histogram["count"]), float(histogram["sum"]))
            for at, histogram in series.get("histograms", ())
        }
        found[tuple(sorted(series["metric"].items()))] = points
    return found


def labels_of(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    """The labels that Prometheus has for a series of ours."""
    resource, labels = dict(row["ResourceAttributes"]), dict(row["Attributes"])
    assert labels.pop("cluster") == "blue"
    job = "/".join(filter(None, (resource.get("service.namespace"), resource["service.name"])))
    return tuple(
        sorted(
            {**labels, "__name__": row["MetricName"], "job": job, "instance": resource["service.instance.id"]}.items()
        )
    )


def written(store: Store) -> Samples:
    """The same of our tables; points without a value are left out."""
    found: Samples = defaultdict(dict)
    for table, numbers in (("gauge", "[Value]"), ("sum", "[Value]"), ("exponential_histogram", "[Count, Sum]")):
        for row in rows(
            store,
            f"SELECT MetricName, Attributes, ResourceAttributes, toUnixTimestamp64Milli(TimeUnix) AS at, "
            f"CAST({numbers}, 'Array(Float64)') AS value FROM otel_metrics_{table} WHERE Flags = 0",
        ):
            read = [float(number) for number in row["value"]]
            value = read[0] if len(read) == 1 else tuple(read)
            found[labels_of(row)][row["at"]] = value
    return found


def differing(theirs: Samples, ours: Samples) -> list[Any]:
    """What they have and we have not, or have otherwise. NaN is printed, because it equals nothing."""
    return [
        (labels, at, value, ours.get(labels, {}).get(at))
        for labels, points in theirs.items()
        for at, value in points.items()
        if repr(value) != repr(ours.get(labels, {}).get(at))
    ]


@pytest.fixture
def receiver(store: Store) -> Iterator[str]:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=30))
    pipeline.start()
    with serving(create_app(pipeline)) as base:
        yield f"{base}{PATH}"
    pipeline.stop()


def test_every_series_and_value_that_prometheus_has(store: Store, receiver: str, tmp_path: Path) -> None:
    with Target() as target, prometheus(tmp_path, target.address, receiver) as api:
        until(lambda: len(scraped(api).get(_key("up", target, "shop/web"), ())) <= BRIEF + 2)
        energy = "SELECT count() AS n FROM otel_metrics_sum WHERE MetricName = 'gpu_energy'"
        until(lambda: rows(store, energy)[0]["n"] == 0)
        theirs = scraped(api)
        until(lambda: differing(theirs, written(store)))
        exemplars = asked(api, "query_exemplars", query='{__name__=~".+"}', start=str(time.time() - 600),
                          end=str(time.time()))  # fmt: skip
        until(lambda: _known_exemplars(exemplars) - _exemplars(store))
    assert {dict(labels)["__name__"] for labels in theirs} >= {
        "requests_total", "DCGM_FI_DEV_GPU_TEMP", "latency_seconds_bucket", "rpc", "rpc_sum", "brief", "up",
        "native_seconds", "gpu_energy", "not_a_number", "scrape_duration_seconds",
    }  # fmt: skip
    assert len(_known_exemplars(exemplars)) >= 2
    _check_histograms(store)
    _check_kinds(store)
    _check_the_stale_series(store, theirs[_key("brief", target, "shop/web")])


def _key(name: str, target: Target, job: str) -> tuple[tuple[str, str], ...]:
    return (("__name__", name), ("instance", target.address), ("job", job))


def _known_exemplars(data: Any) -> set[tuple[str, str, str, float, int]]:
    """Metric, trace, span, value and time of exemplars that Prometheus has."""
    return {
        (
            series["seriesLabels"]["__name__"],
            exemplar["labels"].get("trace_id", ""),
            exemplar["labels"].get("span_id", ""),
            float(exemplar["value"]),
            round(exemplar["timestamp"] * 1000),
        )
        for series in data
        for exemplar in series["exemplars"]
    }


def _exemplars(store: Store) -> set[tuple[str, str, str, float, int]]:
    found = rows(
        store,
        "SELECT MetricName AS name, trace, span, value, toUnixTimestamp64Milli(at) AS at FROM otel_metrics_sum "
        "ARRAY JOIN `Exemplars.TraceId` AS trace, `Exemplars.SpanId` AS span, `Exemplars.Value` AS value, "
        "`Exemplars.TimeUnix` AS at",
    )
    return {(row["name"], row["trace"], row["span"], row["value"], row["at"]) for row in found}


def _check_histograms(store: Store) -> None:
    """Buckets as the target exposed them, scrape by scrape."""
    found = rows(store, "SELECT * FROM otel_metrics_exponential_histogram WHERE Flags = 0 ORDER BY TimeUnix")
    assert len(found) > BRIEF
    for row in found:
        n = row["ZeroCount"]
        assert (row["Count"], row["Sum"]) == (native(n)["sample_count"], native(n)["sample_sum"])
        assert (row["Scale"], row["ZeroThreshold"]) == (1, 0.01)
        assert (row["PositiveOffset"], row["PositiveBucketCounts"]) == (-3, [n, 2 * n, 0, 0, 0, n])
        assert (row["NegativeOffset"], row["NegativeBucketCounts"]) == (4, [n])
    assert [row["ZeroCount"] for row in found] == sorted({row["ZeroCount"] for row in found})


def _check_kinds(store: Store) -> None:
    """Counters are sums; type, unit and help follow once Prometheus has sent them."""
    last = (
        "SELECT MetricName AS name, argMax(MetricUnit, TimeUnix) AS unit, argMax(MetricDescription, TimeUnix) AS help"
    )
    sums = {row["name"]: row for row in rows(store, f"{last} FROM otel_metrics_sum GROUP BY MetricName")}
    gauges = {row["name"]: row for row in rows(store, f"{last} FROM otel_metrics_gauge GROUP BY MetricName")}
    assert {"requests_total", "latency_seconds_bucket", "latency_seconds_sum", "rpc_count", "gpu_energy"} <= set(sums)
    assert {"DCGM_FI_DEV_GPU_TEMP", "rpc", "up", "size_bytes"} <= set(gauges)
    assert sums["gpu_energy"]["help"] == "Energy used."
    assert sums["requests_total"]["help"] == "Requests served."
    assert (gauges["size_bytes"]["unit"], sums["latency_seconds_bucket"]["unit"]) == ("By", "s")
    (odd,) = rows(
        store, "SELECT any(Attributes['odd']) AS odd FROM otel_metrics_sum WHERE MetricName = 'requests_total'"
    )
    assert odd["odd"] == 'q"\\\n é'
    assert {
        row["trace"] for row in rows(store, "SELECT arrayJoin(`Exemplars.TraceId`) AS trace FROM otel_metrics_sum")
    } == {TRACE}
    spans = rows(store, "SELECT DISTINCT arrayJoin(`Exemplars.SpanId`) AS span FROM otel_metrics_sum WHERE MetricName"
                 " = 'requests_total'")  # fmt: skip
    assert spans == [{"span": SPAN}]


def _check_the_stale_series(store: Store, theirs: dict[int, float]) -> None:
    """It has the values that scrapes showed, then one point without a value."""
    sql = "SELECT toUnixTimestamp64Milli(TimeUnix) AS at, Value AS value, Flags AS flags FROM otel_metrics_gauge"
    *shown, end = rows(store, f"{sql} WHERE MetricName = 'brief' ORDER BY TimeUnix")
    assert [(row["at"], row["value"], row["flags"]) for row in shown] == [(at, v, 0) for at, v in theirs.items()]
    assert 1 <= len(shown) <= BRIEF
    assert (end["value"], end["flags"]) == (0.0, 1)
