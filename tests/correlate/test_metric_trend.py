"""What moves on without pause and what begins to swing: from stored points to warnings, and no word about noise."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from correlate import frames as frames_module
from correlate.frames import Frames
from correlate.rules import metric_trend
from store import Store, Window
from tests.kit.causal import nanos
from tests.kit.noise import KINDS, fill
from tests.kit.telemetry import found, frames

# The tests' day is 22:13:20 at 0; 23:00 lies in this window.
WINDOW = Window(nanos(2700), nanos(3600))
FULL = nanos(2800) // 10**9
HOURS = 4 * 3600
READS = ("metric_series", "metric_trends")


def gauge(store: Store, metric: str, value: str, pod: str = "api-0") -> None:
    """A gauge every 15 s of the four hours; `value` is SQL of `t`, seconds before the full hour, and noise `g`."""
    store.command(
        "INSERT INTO otel_metrics_gauge (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, Value) "
        f"SELECT map('k8s.pod.name', '{pod}'), '{metric}', toDateTime64({FULL} - t, 9, 'UTC'), 'default', "
        f"cityHash64('{metric}', '{pod}'), {value} FROM (SELECT 15 * (number + 1) AS t, "
        f"(rand(1) + rand(2) + 0.0) / 4294967296 - 1 AS g FROM numbers({HOURS // 15}))"
    )


def loaded(store: Store, window: Window = WINDOW) -> Frames:
    return frames_module.load(store, "default", window, 7200, READS)


def told(given: Frames) -> list[tuple[str, str, int]]:
    rows = found(metric_trend.RULE, given).sort("kind", "entity")
    return [(row["kind"], row["explanation"].split(": ")[1].split(" ")[0], row["direction"]) for row in rows.to_dicts()]


CLIMBS = "500 + 2 * g + if(t < 7200, (7200 - t) / 7200 * {}, 0)"


def test_a_leak_that_no_shift_shows_is_told(store: Store) -> None:
    gauge(store, "process.memory.usage", CLIMBS.format(300))
    gauge(store, "disk.free", CLIMBS.format(-300), pod="db-0")
    assert told(loaded(store)) == [("drift.trend", "process.memory.usage", 1), ("drift.trend", "disk.free", -1)]
    # Said once an hour, and not in between.
    assert found(metric_trend.RULE, loaded(store, Window(nanos(0), nanos(900)))).is_empty()


def test_so_is_what_begins_to_swing(store: Store) -> None:
    gauge(store, "pool.in_use", "100 + g * if(t < 3600, 60, 6)")
    assert told(loaded(store)) == [("drift.spread", "pool.in_use", 1)]


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("process.memory.usage", CLIMBS.format(60)),  # by less than a quarter
        ("process.memory.usage", "500 + 2 * g + (14400 - t) / 14400 * 600"),  # as it did before
        ("process.memory.usage", "500 + 2 * g + if(t < 3600, 300, 0)"),  # a step is another rule's
        ("http.requests", CLIMBS.format(300)),  # traffic has its rhythm
        ("pool.in_use", "100 + g * if(t < 3600, 12, 6)"),  # twice as wild
        ("pool.in_use", "if(t < 3600, 1000, 100) + g * if(t < 3600, 60, 6)"),  # on another level
        ("pool.in_use", "if(t % 900 = 0, 200, 100)"),  # peaks now and then
    ],
)
def test_less_is_not_told(store: Store, metric: str, value: str) -> None:
    gauge(store, metric, value)
    assert told(loaded(store)) == []


def test_points_that_are_delivered_again_change_nothing(store: Store) -> None:
    gauge(store, "process.memory.usage", CLIMBS.format(300))
    gauge(store, "pool.in_use", "100 + g * if(t < 3600, 60, 6)", pod="db-0")
    once = loaded(store)["metric_trends"].sort("series").collect()
    assert once.height == 2
    store.command("INSERT INTO otel_metrics_gauge SELECT * FROM otel_metrics_gauge WHERE rand() % 3 = 0")
    assert loaded(store)["metric_trends"].sort("series").collect().equals(once)


def test_noise_is_no_trend(store: Store) -> None:
    """Switches, heavy tails and holes never do what is told; of hundreds of random walks one or two may."""
    fill(store, Window(nanos(2800), nanos(2800)), HOURS, 4_000)
    rows = found(metric_trend.RULE, loaded(store))
    kinds = [KINDS[int(pod.removeprefix("pod-")) % len(KINDS)] for pod in rows["entity"]]
    assert set(kinds) <= {"walk"}, rows.select("kind", "explanation").rows()
    assert len(kinds) <= 4_000 // len(KINDS) // 100


def everywhere(pods: int, of: int, metric: Callable[[int], str] = lambda _: "queue.depth") -> Frames:
    numbers = range(1, of + 1)
    moved = {"before": 100.0, "now": 200.0, "rise": 110.0, "steadiness": 0.99}
    trends = [{"series": n, **moved, "rise": 110.0 + n} for n in numbers[:pods]]
    series = [{"series": n, "metric": metric(n), "type": "gauge", "labels": "{}", "pod": f"p-{n}"} for n in numbers]
    return frames(2700.0, 3600.0, metric_trends=trends, metric_series=series)


@pytest.mark.parametrize(
    ("pods", "of", "said"), [(5, 50, 5), (1, 1000, 1), (9, 1000, 9), (10, 1000, 1), (900, 1000, 1)]
)
def test_what_all_have_in_common_is_told_once(pods: int, of: int, said: int) -> None:
    rows = found(metric_trend.RULE, everywhere(pods, of))
    assert rows.height == said
    assert f"p-{pods}" in rows["entity"].to_list()


def test_of_one_pod_the_strongest_series_is_told() -> None:
    given = everywhere(3, 3)
    one = given["metric_series"].with_columns(pod=pl.lit("p-1"), metric=pl.format("queue.{}", "series"))
    rows = found(metric_trend.RULE, Frames(given.window, given.since, given.tables | {"metric_series": one}))
    assert rows["explanation"].to_list() == ["p-1: queue.3 climbs without pause for two hours, from 100.0 to 200.0"]
