"""The compliance queries of the Prometheus project over stored telemetry, against what a Prometheus 2.42 answered."""

from __future__ import annotations

import gzip
import importlib.util
import json
import math
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from query.errors import QueryError
from query.promql.catalogue import Catalogue
from query.promql.engine import Answer, Engine
from query.promql.settings import PromqlSettings
from query.promql.stored import Stored
from query.promql.values import Key, Scalar, Vector, key
from store import Store

# What Prometheus 3 answers otherwise than the 2.42 that was recorded, and why.
_ZERO = "Prometheus 3 looks how far a counter is from zero after it cut the extrapolation short, 2 before"
_OPEN = "windows of Prometheus 3 are open on the left, so a subquery's holds one step less"
_UTF8 = "any UTF-8 text is a label's name in Prometheus 3"
DIFFERENCES = {
    "rate(demo_cpu_usage_seconds_total[1h])": _ZERO,
    "increase(demo_cpu_usage_seconds_total[1h])": _ZERO,
    "avg_over_time(rate(demo_cpu_usage_seconds_total[1m])[2m:10s])": _OPEN,
    'label_replace(demo_num_cpus, "~invalid", "", "src", "(.*)")': _UTF8,
    'label_join(demo_num_cpus, "~invalid", "-", "instance")': _UTF8,
}
RELATIVE = 1e-9


def fill(store: Store, demo: Path) -> int:
    """Store the suite's sample data as remote write would have; how many samples."""
    spec = importlib.util.spec_from_file_location("promql_demo", demo)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    frames = []
    for number, (name, _, text, samples) in enumerate(module.series()):
        labels = dict(part.split("=", 1) for part in text.split(","))
        labels = {label: value.strip('"') for label, value in labels.items()}
        resource = {"service.name": labels.pop("job"), "service.instance.id": labels.pop("instance")}
        frames.append(
            pl.DataFrame({"TimeUnix": [round(t * 1000) for t, _ in samples], "Value": [float(v) for _, v in samples]})
            .with_columns(
                pl.col("TimeUnix").cast(pl.Datetime("ms", "UTC")).cast(pl.Datetime("ns", "UTC")),
                MetricName=pl.lit(name), ServiceName=pl.lit("demo"), SeriesHash=pl.lit(number + 1, dtype=pl.UInt64),
                Tenant=pl.lit("default"), ScopeName=pl.lit("causeline.remote_write"),
                labels=pl.lit(json.dumps(labels)), resource=pl.lit(json.dumps(resource)),
            )
        )  # fmt: skip
    frame = pl.concat(frames)
    columns = "TimeUnix, Value, MetricName, ServiceName, SeriesHash, Tenant, ScopeName"
    store.command(
        f"CREATE TABLE demo_rows ENGINE = Memory AS SELECT {columns}, '' AS labels, '' AS resource "
        "FROM otel_metrics_sum LIMIT 0"
    )
    store.insert_frame("demo_rows", frame)
    store.command(
        f"INSERT INTO otel_metrics_sum ({columns}, Attributes, ResourceAttributes, AggregationTemporality, "
        "IsMonotonic) "
        f"SELECT {columns}, JSONExtract(labels, 'Map(String, String)'), JSONExtract(resource, 'Map(String, String)'), "
        "2, true FROM demo_rows"
    )
    store.command("DROP TABLE demo_rows")
    return frame.height


@pytest.mark.slow
def test_every_compliance_query_answers_as_prometheus(
    store: Store, shared: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = shared / "suites/prometheus/compliance"
    samples = fill(store, suite / "demo.py")
    with gzip.open(suite / "golden-prometheus-2.42-range.json.gz") as file:
        golden = json.load(file)
    settings = PromqlSettings()
    engine = Engine(Stored(Catalogue(store, settings), "default"))
    start, end, step = (golden[name] * 1000 for name in ("start", "end", "step"))
    wrong: dict[str, str] = {}
    took: list[float] = []
    for case in golden["cases"]:
        began = time.perf_counter()
        try:
            answer: Answer | None = engine.range(case["query"], start, end, step)
        except QueryError:
            answer = None
        took.append(1000 * (time.perf_counter() - began))
        if why := differs(case, answer):
            wrong[case["query"]] = why
    quick = sorted(took)
    with capsys.disabled():
        print(  # noqa: T201  # the figures are what it is run for
            f"\ncompliance: {len(golden['cases']) - len(wrong)} of {len(golden['cases'])} over {samples} samples, "
            f"p50 {statistics.median(took):.1f} ms, p99 {quick[int(len(quick) * 0.99)]:.1f} ms"
        )
    assert {query: why for query, why in wrong.items() if query not in DIFFERENCES} == {}
    assert set(DIFFERENCES) - set(wrong) == set(), "listed as different, but equal"


def differs(case: dict[str, Any], answer: Answer | None) -> str:
    """What is wrong with an answer; empty when nothing is."""
    wanted = case["response"]
    if wanted["status"] != "success":
        return "" if answer is None else "did not fail"
    if answer is None:
        return "failed"
    got, times = _series(answer), answer.times
    for series in wanted["data"]["result"]:
        name = key(series["metric"])
        if name not in got:
            return f"no {name}"
        mine = got.pop(name)
        if list(mine) != [round(t * 1000) for t, _ in series["values"]]:
            return f"{name}: steps {len(mine)} of {len(series['values'])}"
        for (at, value), found in zip(series["values"], mine.values(), strict=True):
            if not _equal(float(value), found):
                return f"{name} at {at}: {found!r} instead of {value}"
    return f"surplus {list(got)[:3]} at {len(times)} steps" if got else ""


def _series(answer: Answer) -> dict[Key, dict[int, float]]:
    value = answer.value
    if isinstance(value, Scalar):
        value = Vector([{}], value.values[None, :], np.ones((1, len(value.values)), dtype=np.bool_))
    assert isinstance(value, Vector)
    return {
        key(labels): {
            int(t): float(v)
            for t, v, has in zip(answer.times, value.values[row], value.present[row], strict=True) if has
        }
        for row, labels in enumerate(value.labels) if value.present[row].any()
    }  # fmt: skip


def _equal(wanted: float, got: float) -> bool:
    if math.isnan(wanted) or math.isnan(got):
        return math.isnan(wanted) and math.isnan(got)
    return wanted == got or abs(wanted - got) <= RELATIVE * max(abs(wanted), abs(got))
