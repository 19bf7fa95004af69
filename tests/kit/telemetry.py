"""Telemetry frames for rule tests: rows in seconds after a fixed moment, everything else filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import polars as pl

from correlate.frames import FRAMES, Frames
from correlate.signals import SIGNAL, TIME
from store import Window
from tests.kit.causal import HOUR, nanos
from tests.kit.levels import values

Row = dict[str, Any]
_EMPTY: dict[type[pl.DataType], Any] = {
    pl.String: "",
    pl.Boolean: False,
    pl.Float64: 0.0,
    pl.Int32: 0,
    pl.Int64: 1,
    pl.UInt64: 0,
}


def frames(start: float = 0.0, end: float = 900.0, history: float = 2 * HOUR, **tables: Iterable[Row]) -> Frames:
    """Frames judging [start, end) with the named tables' rows; `time` is seconds after T0, missing columns empty."""
    return Frames(
        Window(nanos(start), nanos(end)), nanos(start - history), {n: _table(n, rows) for n, rows in tables.items()}
    )


def _table(name: str, rows: Iterable[Row]) -> pl.LazyFrame:
    schema = FRAMES[name]
    plain = {column: (pl.Int64() if kind == TIME else kind) for column, kind in schema.items()}
    blank = {column: _EMPTY.get(type(kind)) for column, kind in schema.items()}
    filled = [blank | row | ({"time": nanos(row["time"])} if "time" in row else {}) for row in rows]
    table = pl.DataFrame(filled, schema=plain, orient="row")
    return table.with_columns(pl.col(c).cast(TIME) for c, kind in schema.items() if kind == TIME).lazy()


def with_levels(given: Frames) -> Frames:
    """The frames with what the store derives from points: levels, and each series' first and last moment."""
    times = pl.concat([given[name].select("series", "time") for name in ("metric_points", "histogram_points")])
    span = times.group_by("series").agg(
        first=pl.col("time").min(), last=pl.col("time").max(), samples=pl.len().cast(pl.Int64)
    )
    series = (
        given["metric_series"].drop("first", "last", "samples").join(span, on="series").select(*FRAMES["metric_series"])
    )
    derived = {
        "metric_series": series,
        "metric_levels": values(given, given["metric_series"], "60s").with_columns(judged=pl.lit(value=True)),
    }
    return replace(given, tables=given.tables | derived)


def step(before: float | None, after: float | None, at: float = 300.0) -> Callable[[float], float | None]:
    """A value that changes once, at `at` seconds; None is a hole."""
    return lambda t: before if t < at else after


class Metrics:
    """Series and points under construction: `add` a series by metric and labels, with its values over time."""

    def __init__(self) -> None:
        self.series: list[Row] = []
        self.points: list[Row] = []
        self.histograms: list[Row] = []

    def add(
        self,
        metric: str,
        value: Callable[[float], float | None],
        *,
        start: float = -2 * HOUR,
        end: float = 900.0,
        every: float = 30.0,
        kind: str = "gauge",
        **identity: Any,
    ) -> None:
        """A series whose value at second t is `value(t)`; None leaves a hole."""
        number = len(self.series) + 1
        row: Row = {"series": number, "metric": metric, "type": kind, "monotonic": kind == "sum", "labels": "{}"}
        self.series.append(row | identity)
        at = start
        while at < end:
            found = value(at)
            if found is not None:
                self.points.append({"series": number, "time": at, "value": found})
            at += every

    def frames(self, **more: Any) -> Frames:
        """Frames of what was added, plus other tables; levels are what the store makes of the points."""
        made = frames(metric_series=self.series, metric_points=self.points, histogram_points=self.histograms, **more)
        return with_levels(made)


def found(rule: Any, given: Frames, least: float = 3.0) -> pl.DataFrame:
    """What the engine would keep of a rule's signals, checked against the contract."""
    result: pl.DataFrame = rule.detect(given).collect()
    assert dict(result.schema) == SIGNAL
    kept = result.filter(pl.col("score") >= least, pl.col("entity") != "")
    inside = kept.filter(
        pl.col("seen").is_between(
            pl.lit(given.window.start).cast(TIME), pl.lit(given.window.end).cast(TIME), closed="left"
        )
    )
    assert inside.height == kept.height, "a rule reported something seen outside the window"
    return kept.sort("kind", "entity")


def facts(signals: pl.DataFrame) -> set[tuple[str, str, str]]:
    """(kind, entity_type, entity) of every signal."""
    return set(signals.select("kind", "entity_type", "entity").iter_rows())


def onset_s(signals: pl.DataFrame, kind: str) -> float:
    """Seconds after T0 at which the only signal of this kind began."""
    (onset,) = signals.filter(pl.col("kind") == kind)["onset"].dt.epoch("ms").to_list()
    return float(onset) / 1000 - nanos(0) / 1e9
