"""The slow end of histograms: a tail that moves further than the mean is a shift, in whatever form it was sent."""

from __future__ import annotations

import json

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from correlate import frames as frames_module
from correlate.frames import Frames
from correlate.rules import metric_shift
from store import Store, Window
from tests.kit.causal import nanos
from tests.kit.telemetry import found, onset_s

HISTORY_S = 7200
WINDOW = Window(nanos(0), nanos(900))
READS = ("metric_series", "metric_levels", "metric_tails")
BOUNDS = "[0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10]"
# Of 100 observations every 15 s eight move from below a second to some seven: the mean doubles, the tail is sevenfold.
CALM, SLOW = "[10, 25, 30, 20, 15, 0, 0, 0, 0]", "[10, 25, 30, 20, 7, 0, 0, 8, 0]"
CALM_MEAN, SLOW_MEAN = 0.4575, 0.9875
# Indices at scale 0: bucket k lies between 2 to the k and the one after, from 1/8 s on.
CALM_INDEXED, SLOW_INDEXED = "[10, 30, 40, 20, 0, 0]", "[10, 30, 40, 12, 0, 8]"


def told(store: Store, table: str, pod: str, number: int, columns: str, values: str) -> None:
    """A histogram's points; `values` speaks of i, the number of the point, and slow, whether the tail has moved."""
    before, moves = HISTORY_S // 15, (HISTORY_S + 300) // 15
    points = f"SELECT number AS i, {int('slow' in pod)} AND i >= {moves} AS slow FROM numbers({before + 900 // 15})"
    time = f"fromUnixTimestamp64Nano({WINDOW.start}) + toIntervalSecond(15 * (toInt64(i) - {before}))"
    store.command(
        f"INSERT INTO {table} (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, Sum, {columns}) SELECT "
        f"map('k8s.pod.name', '{pod}'), 'http.server.request.duration', {time}, 'default', {number}, {values} "
        f"FROM ({points})"
    )


def fill(store: Store) -> None:
    """Histograms of three forms, of each a pod whose tail moves and one whose does not."""
    mean = f"if(slow, {SLOW_MEAN}, {CALM_MEAN}) * 100"
    added = f"if(slow, {SLOW}, {CALM})"
    # Counted up since a start an hour ago, which was a reset.
    since = f"(i < {HISTORY_S // 30} ? i + 1 : i - {HISTORY_S // 30} + 1)"
    late = f"greatest(toInt64(i) - {(HISTORY_S + 300) // 15} + 1, 0) * slow"
    total = f"arrayMap((then, now) -> then * ({since} - {late}) + now * ({late}), {CALM}, {SLOW})"
    sums = f"100 * ({CALM_MEAN} * ({since} - {late}) + {SLOW_MEAN} * {late})"
    indexed = f"if(slow, {SLOW_INDEXED}, {CALM_INDEXED})"
    classic = "Count, BucketCounts, ExplicitBounds, AggregationTemporality"
    exponential = "Count, Scale, PositiveOffset, PositiveBucketCounts, AggregationTemporality"
    for number, pod in enumerate(("calm-0", "slow-0")):
        told(store, "otel_metrics_histogram", f"sum-{pod}", 10 + number, classic,
             f"{sums}, 100 * {since}, {total}, {BOUNDS}, 2")  # fmt: skip
        told(store, "otel_metrics_histogram", f"delta-{pod}", 20 + number, classic,
             f"{mean}, 100, {added}, {BOUNDS}, 1")  # fmt: skip
        told(store, "otel_metrics_exponential_histogram", f"indexed-{pod}", 30 + number, exponential,
             f"{mean}, 100, 0, -4, {indexed}, 1")  # fmt: skip


def loaded(store: Store, **how: int) -> Frames:
    return frames_module.load(store, "default", WINDOW, HISTORY_S, READS, **how)  # type: ignore[arg-type]


def tails(store: Store, **how: int) -> pl.DataFrame:
    return loaded(store, **how)["metric_tails"].sort("series", "bucket").collect()


def test_a_tail_is_a_shift_where_the_mean_is_none(store: Store) -> None:
    fill(store)
    given = loaded(store)
    seen = found(metric_shift.RULE, given)
    assert sorted(seen["entity"]) == ["delta-slow-0", "indexed-slow-0", "sum-slow-0"]
    assert seen["explanation"].str.contains("http.server.request.duration p95", literal=True).all()
    assert {tuple(json.loads(text)["metrics"]) for text in seen["evidence"]} == {("http.server.request.duration",)}
    assert 240 <= onset_s(seen.filter(pl.col("entity") == "sum-slow-0"), "metric.shift") <= 420
    without = given["metric_tails"].clear()
    assert found(metric_shift.RULE, Frames(WINDOW, given.since, given.tables | {"metric_tails": without})).is_empty()


def test_the_percentile_lies_between_the_bounds_as_in_promql(store: Store) -> None:
    fill(store)
    now = tails(store).group_by("series").agg(pl.col("value").first().alias("was"), pl.col("value").last())
    by_series = {series: (was, value) for series, was, value in now.rows()}
    # 95 of 100: calm, two thirds into (0.75, 1]; slow, three eighths into (5, 10].
    for series in (11, 21):
        assert by_series[series] == pytest.approx((0.75 + 0.25 * 10 / 15, 5 + 5 * 3 / 8))
    # Calm, three quarters into the bucket from 1/2; slow, three eighths into the one from 2.
    assert by_series[31] == pytest.approx((2**-0.25, 2**1.375))
    assert not {10, 20, 30} & by_series.keys(), "what never moves stays in the store"


def test_shards_are_one_frame_and_points_count_once(store: Store) -> None:
    fill(store)
    whole = tails(store)
    assert whole["series"].n_unique() == 3
    assert_frame_equal(tails(store, shards=3), whole)
    for table in ("otel_metrics_histogram", "otel_metrics_exponential_histogram"):
        store.command(f"INSERT INTO {table} SELECT * FROM {table} WHERE sipHash64(SeriesHash, TimeUnix) % 3 = 0")
    assert_frame_equal(tails(store), whole)


def test_few_observations_have_no_tail(store: Store) -> None:
    classic = "Count, BucketCounts, ExplicitBounds, AggregationTemporality"
    few = "if(slow, [1, 0, 0, 1], [2, 0, 0, 0])"
    told(store, "otel_metrics_histogram", "slow-0", 1, classic, f"1, 2, {few}, [0.1, 1, 10], 1")
    assert tails(store).is_empty()
