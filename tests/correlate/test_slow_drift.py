"""Early warnings from weeks of history: what creeps, what only varies, and what there is too little of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from correlate import catalog
from correlate.frames import FRAMES, HOUR_NS, Frames, full_hour
from correlate.rules import seasonal_shift, slow_counts, slow_drift, tail_divergence, version_skew
from correlate.signals import TIME
from store import Window
from tests.kit.causal import nanos
from tests.kit.telemetry import Row, facts, found, frames

# 23:00 of the tests' day lies in this window.
START, END = 2700.0, 3600.0
FULL = full_hour(Window(nanos(START), nanos(END)))
assert FULL is not None


def hours(value: Callable[[float], float], days: int = 28, column: str = "mean", **identity: Any) -> list[Row]:
    """A row per hour of the last days; `value` takes days before now."""
    assert FULL is not None
    return [
        {"hour": FULL - (back + 1) * HOUR_NS, "type": "gauge", "labels": "{}", column: value(back / 24), **identity}
        for back in range(days * 24)
    ]


def drifting(rows: list[Row]) -> Frames:
    table = frames(START, END)

    schema = FRAMES["hourly_metrics"]
    blank: Row = {name: "" if kind == pl.String() else 0.0 for name, kind in schema.items()}
    plain = {name: (pl.Int64() if kind == TIME else kind) for name, kind in schema.items()}
    filled = [blank | {"series": 1} | row for row in rows]
    hourly = pl.DataFrame(filled, schema=plain, orient="row").with_columns(pl.col("hour").cast(TIME)).lazy()
    return Frames(table.window, table.since, {"hourly_metrics": hourly})


def wobble(days: float) -> float:
    return 1.0 + 0.02 * (int(days * 24) % 5 - 2)


@pytest.mark.parametrize(
    ("metric", "column", "factor", "kind"),
    [
        ("gateway.upstream.retries", "growth", 2.0, "drift.retries"),
        ("vllm:num_requests_waiting", "mean", 3.0, "drift.queue"),
        ("k8s.node.filesystem.available", "mean", 0.5, "drift.headroom"),
        ("train/mfu", "mean", 0.8, "drift.goodput"),
        ("train/step_time", "mean", 1.5, "drift.step_time"),
        ("vllm:num_requests_waiting", "spread", 3.0, "drift.variance"),
    ],
)
def test_what_creeps_is_an_early_warning(metric: str, column: str, factor: float, kind: str) -> None:
    def creeping(days: float) -> float:
        return 10.0 * wobble(days) * (factor if days < 8 else 1.0)

    rows = [
        *hours(creeping, column=column, metric=metric, service="bad", series=1),
        *hours(lambda d: 10.0 * wobble(d), column=column, metric=metric, service="calm", series=2),
        # One bad day, and too little history to tell.
        *hours(lambda d: 10.0 * (factor if d < 1 else 1.0), column=column, metric=metric, service="once", series=3),
        *hours(creeping, days=9, column=column, metric=metric, service="new", series=4),
    ]
    seen = found(slow_drift.RULE, drifting(rows))
    assert facts(seen) == {(kind, "service", "bad")}
    assert seen["score"][0] < 3.7


def test_scores_that_fall_from_week_to_week() -> None:
    rows = [
        *hours(lambda d: 0.7 if d < 8 else 0.9, metric="model.quality.score", model="m", series=1),
        *hours(lambda d: 0.9, metric="model.quality.score", model="well", series=2),
    ]
    assert facts(found(slow_drift.RULE, drifting(rows))) == {("drift.quality", "model", "m")}


def test_without_a_full_hour_nothing_is_said() -> None:
    for rule in (slow_drift.RULE, slow_counts.RULE, version_skew.RULE, seasonal_shift.RULE):
        assert found(rule, frames()).is_empty()


def test_restarts_beyond_chance() -> None:
    def restarts(pod: str, today: float, before: float) -> list[Row]:
        return hours(
            lambda d: (today if d < 1 else before) / 24, column="growth", metric="k8s.container.restarts", pod=pod
        )

    rows = [*restarts("leaky-7d9f8c6b5-x2x4q", 12.0, 1.0), *restarts("noisy-7d9f8c6b5-x2x4q", 12.0, 11.0)]
    assert facts(found(slow_counts.RULE, drifting(rows))) == {("drift.restarts", "workload", "leaky")}


def test_a_gpu_that_corrects_more_than_its_fleet() -> None:
    rows = []
    for n in range(10):
        rows += hours(
            lambda d, n=n: 5.0 if n == 3 or (n == 4 and d < 1) else 0.1,  # type: ignore[misc]
            days=4,
            column="growth",
            metric="DCGM_FI_DEV_ECC_SBE_VOL_TOTAL",
            gpu=f"GPU-{n}",
            series=n,
        )
    assert facts(found(slow_counts.RULE, drifting(rows))) == {("drift.errors", "gpu", "GPU-3")}


def test_versions_that_stay_mixed() -> None:
    rows = [
        *hours(lambda _: 1.0, days=2, metric="up", service="api", version="1", series=1),
        *hours(lambda _: 1.0, days=2, metric="up", service="api", version="2", series=2),
        *hours(lambda _: 1.0, days=2, metric="up", service="web", version="1", series=3),
        # A rollout of three hours.
        *hours(lambda _: 1.0, days=1, metric="up", service="web", version="2", series=4)[:3],
    ]
    for n in range(5):
        kubelet = '{"kubelet_version":"1.35"}' if n == 2 else '{"kubelet_version":"1.36"}'
        rows += hours(lambda _: 1.0, days=2, metric="kube_node_info", node=f"n{n}", labels=kubelet, series=10 + n)
    assert facts(found(version_skew.RULE, drifting(rows))) == {
        ("drift.skew", "service", "api"),
        ("drift.skew", "node", "n2"),
    }


def test_an_hour_unlike_the_same_hour_before() -> None:
    def daily(days: float) -> float:
        return 100.0 + 80.0 * (int(days * 24) % 24 > 12)

    rows = [
        *hours(lambda d: daily(d) * (3 if d < 2 / 24 else 1), metric="requests", service="odd", series=1),
        *hours(daily, metric="requests", service="rhythm", series=2),
        *hours(lambda d: daily(d) * (3 if d < 1 / 24 else 1), metric="requests", service="one", series=3),
    ]
    assert facts(found(seasonal_shift.RULE, drifting(rows))) == {("drift.season", "service", "odd")}


def test_a_tail_that_leaves_the_middle() -> None:
    def served(service: str, slow: Callable[[float], float], every: int = 3) -> list[Row]:
        return [
            {
                "time": t,
                "trace_id": f"{service}{t}",
                "span_id": "s",
                "service": service,
                "kind": "Server",
                "duration_ms": slow(t) if n % 50 == 0 else 10.0 + n % 3,
            }
            for n, t in enumerate(range(-6300, 900, every))
        ]

    def middle(service: str) -> list[Row]:
        return [row | {"duration_ms": row["duration_ms"] * (3 if row["time"] >= -100 else 1)} for row in
                served(service, lambda _: 40.0)]  # fmt: skip

    rows = [
        *served("tail", lambda t: 40.0 if t < -800 else 400.0),
        *served("even", lambda _: 40.0),
        *middle("slower"),
        *served("few", lambda t: 40.0 if t < -800 else 400.0, every=30),
    ]
    assert facts(found(tail_divergence.RULE, frames(-900.0, 900.0, spans=rows))) == {("drift.tail", "service", "tail")}


def test_warnings_are_context() -> None:
    roles = dict(catalog.kinds().select("kind", "role").iter_rows())
    kinds = [*catalog.table("drift_signals")["kind"], "drift.quality", "drift.restarts", "drift.errors", "drift.skew"]
    assert {roles[kind] for kind in [*kinds, "drift.season", "drift.tail"]} == {"context"}
