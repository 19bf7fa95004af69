"""The store's reduction of metric series: the same signals as from all points, and none from noise."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from correlate import frames as frames_module
from correlate.engine import POINTS, metrics_read
from correlate.frames import Frames
from correlate.rules import RULES, metric_shift
from store import Store, Window
from tests.kit.causal import nanos
from tests.kit.noise import KINDS, fill
from tests.kit.telemetry import found, with_levels

HISTORY_S = 7200
WINDOW = Window(nanos(0), nanos(900))
READS = ("metric_series", "metric_points", "histogram_points", "metric_levels")


def loaded(store: Store, **how: int) -> Frames:
    return frames_module.load(store, "default", WINDOW, HISTORY_S, READS, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("every", [5, 7])
def test_reduced_series_give_the_signals_of_all_points(store: Store, every: int) -> None:
    fill(store, WINDOW, HISTORY_S, 13 * 40, shifted=every, seed=every)
    given = loaded(store)
    ours, whole = found(metric_shift.RULE, given), found(metric_shift.RULE, with_levels(given))
    told = ["kind", "entity_type", "entity", "onset", "direction", "severity"]
    assert ours.select(told).rows() == whole.select(told).rows()
    assert ours.height >= 20
    for column in ("score", "value", "baseline"):
        assert ours[column].to_list() == pytest.approx(whole[column].to_list(), rel=1e-6)
    apart = (ours["until"] - whole["until"]).dt.total_milliseconds().abs()
    assert apart.max() <= 1  # type: ignore[operator]


def test_shards_are_one_frame(store: Store) -> None:
    fill(store, WINDOW, HISTORY_S, 13 * 20, shifted=7)
    by = ["series", "bucket"]
    frames = [loaded(store, shards=n)["metric_levels"].sort(by).collect() for n in (1, 2, 5)]
    assert frames[0].height > 1000
    assert frames[0].equals(frames[1])
    assert frames[0].equals(frames[2])


def test_points_that_are_delivered_again_are_counted_once(store: Store) -> None:
    fill(store, WINDOW, HISTORY_S, 13 * 20, shifted=7)
    store.command(
        "INSERT INTO otel_metrics_histogram SELECT * REPLACE (SeriesHash + 1 AS SeriesHash, "
        "'delta.' || MetricName AS MetricName, 1 AS AggregationTemporality, 1 + Count % 7 AS Count, "
        "Sum % 5 AS Sum) FROM otel_metrics_histogram"
    )
    # Of the metrics that are watched hour by hour.
    store.command(
        "INSERT INTO otel_metrics_gauge SELECT * REPLACE (SeriesHash + 1 AS SeriesHash, "
        "'queue.' || MetricName AS MetricName) FROM otel_metrics_gauge WHERE SeriesHash % 2 = 0"
    )
    frames = ("metric_levels", "metric_points", "histogram_points")
    hour = {"tenant": "default", "start": WINDOW.start - 3600 * 10**9, "end": WINDOW.start}

    def read() -> list[pl.DataFrame]:
        given = frames_module.load(store, "default", WINDOW, HISTORY_S, ("metric_series", *frames), metrics="")
        store.execute("learn_hours", hour)
        hours = store.frame("hourly_metrics", hour).collect()
        return [hours.sort(pl.all()), *(given[name].sort("series", pl.nth(1)).collect() for name in frames)]

    once = read()
    assert all(frame.height > 500 for frame in once[1:])
    assert once[0].height > 0
    for table in ("gauge", "sum", "histogram"):
        # A third of the points again, which shifts the mean of a minute that holds four of them.
        name = f"otel_metrics_{table}"
        store.command(f"INSERT INTO {name} SELECT * FROM {name} WHERE sipHash64(SeriesHash, TimeUnix) % 3 = 0")
    for now, before in zip(read(), once, strict=True):
        assert_frame_equal(now, before)


def test_ten_thousand_series_of_noise_are_quiet(store: Store) -> None:
    fill(store, WINDOW, 5400, 10_000)
    given = loaded(store)
    assert given["metric_series"].select(pl.len()).collect().item() == 10_000
    alarms = found(metric_shift.RULE, given)
    by_kind = alarms.group_by(kind=pl.col("entity").str.strip_prefix("pod-").cast(pl.Int64) % len(KINDS)).len()
    told = {KINDS[kind]: number for kind, number in by_kind.rows()}
    assert sum(told.values()) <= 10, told


def test_every_rule_that_reads_points_says_of_which_metrics() -> None:
    assert [rule.name for rule in RULES if not POINTS.isdisjoint(rule.reads) and not rule.metrics] == []
    assert metrics_read(RULES)
