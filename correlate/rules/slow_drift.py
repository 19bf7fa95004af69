"""Metrics that creep: early warnings from weeks of history.

Signal: drift.retries, drift.queue, drift.memory, drift.headroom, drift.goodput, drift.step_time, drift.output,
drift.startup, drift.temperature or drift.variance on the entity of the series; drift.quality on a model.
Condition: once an hour; the last days of a metric, by its mean, growth or spread, against the days of the four weeks
before (`drift_signals` catalogue), on each of the last three days, with a week of baseline at least and beyond three
of its day-to-day deviations. Scores count by the direction of their evaluator and by a fall of 5 %.
Why it matters: leaks, wear and creeping retries end in an incident that begins suddenly; these say a week before where.
They are context: they open no incident and stand beside one of the same entity.
Source: https://arxiv.org/abs/2410.21680 (28 days of history for nodes that will fail again) and
https://sre.google/workbook/alerting-on-slos/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.evaluators import SCORE, direction
from correlate.frames import Frames, full_hour
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

WARNING = 3.2
"""Score of an early warning: notable, and below what opens an incident."""

_MIN_DAYS, _MIN_HOURS = 7, 6
_SPREADS = 3.0
_QUALITY_FALL = 0.95


def identified(frames: Frames) -> pl.LazyFrame:
    """`hourly_metrics` with entity_type and entity, and `day`, counted back from the pass (0 is the last)."""
    blank = {name: pl.lit("") for name in ("workload_kind", "gpu_bdf", "zone")}
    kind, name = most_specific()
    hour = pl.lit(full_hour(frames.window)).cast(TIME)
    return (
        frames["hourly_metrics"]
        .with_columns(**blank)
        .with_columns(entity_type=kind, entity=name, day=((hour - pl.col("hour")).dt.total_seconds() - 1) // 86_400)
        .filter(pl.col("entity") != "")
    )


def compared(days: pl.LazyFrame, by: tuple[str, ...]) -> pl.LazyFrame:
    """Per group: `recent`, `usual`, `deviation` (between days), `worst` and `best` of the last `sustained` days.

    `days` has one row per group and day with value, day, recent_days and sustained.
    """
    near = pl.col("day") < pl.col("recent_days")
    value, last = pl.col("value"), pl.col("value").filter(pl.col("day") < pl.col("sustained"))
    return (
        days.group_by(by)
        .agg(
            value.filter(near).mean().alias("recent"),
            value.filter(~near).median().alias("usual"),
            # Robust, because what creeps has begun to in the baseline already.
            (1.4826 * (value.filter(~near) - value.filter(~near).median()).abs().median()).alias("deviation"),
            last.min().alias("worst"),
            last.max().alias("best"),
            last.len().alias("days"),
            (~near).sum().alias("baseline_days"),
        )
        .filter(pl.col("baseline_days") >= _MIN_DAYS, pl.col("usual").is_not_null(), pl.col("recent").is_not_null())
    )


def warned(rows: pl.LazyFrame, frames: Frames) -> pl.LazyFrame:
    """Signals of rows with kind, entity_type, entity, value, baseline, direction, explanation and evidence."""
    hour = pl.lit(full_hour(frames.window)).cast(TIME)
    # Said every hour of a day, it is one warning.
    return sessions(rows.with_columns(time=hour, onset=hour.dt.truncate("1d"), score=pl.lit(WARNING)), frames)


def _watched(frames: Frames) -> pl.LazyFrame:
    table = catalog.table("drift_signals").with_columns(pl.col("factor", "least").cast(pl.Float64)).lazy()
    rows = identified(frames).join(table, how="cross").filter(pl.col("metric").str.contains(pl.col("pattern")))
    chosen = (
        pl.when(pl.col("value") == "growth").then("growth").when(pl.col("value") == "spread").then("spread")
        .otherwise("mean")
    )  # fmt: skip
    return rows.with_columns(value=chosen)


def _scores(frames: Frames) -> pl.LazyFrame:
    return (
        identified(frames)
        .filter(pl.col("metric").str.contains(SCORE), pl.col("type") == "gauge", pl.col("model") != "")
        .with_columns(
            way=direction("metric"), kind=pl.lit("drift.quality"), text=pl.lit("scores fall from week to week"),
            value="mean", factor=_QUALITY_FALL, least=0.0, recent_days=7, sustained=3,
            entity_type=pl.lit("model"), entity="model",
        )
        .filter(pl.col("way") > 0)
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Warnings of the full hour in the window."""
    if full_hour(frames.window) is None:
        return warned_nothing(frames)
    keys = ("kind", "text", "metric", "entity_type", "entity", "factor", "least", "recent_days", "sustained")
    columns = (*keys, "series", "hour", "day", "value")
    parts = [
        part(frames)
        .select(columns)
        .with_columns(pl.col("factor", "least").cast(pl.Float64), pl.col("recent_days", "sustained").cast(pl.Int64))
        for part in (_watched, _scores)
    ]
    days = (
        pl.concat(parts)
        .group_by(*keys, "day")
        .agg(pl.col("value").mean(), pl.col("hour").n_unique().alias("hours"))
        .filter(pl.col("hours") >= _MIN_HOURS)
    )
    judged = compared(days, keys)
    limit = pl.col("factor") * pl.col("usual")
    rise = (pl.col("factor") > 1) & (pl.col("recent") >= limit) & (pl.col("worst") >= limit)
    fall = (pl.col("factor") < 1) & (pl.col("recent") <= limit) & (pl.col("best") <= limit)
    beyond = (pl.col("recent") - pl.col("usual")).abs() >= _SPREADS * pl.col("deviation").fill_null(0.0)
    rows = judged.filter(
        rise | fall, beyond, pl.col("days") >= pl.col("sustained"), pl.col("recent").abs() >= pl.col("least")
    ).select(
        "kind",
        "entity_type",
        "entity",
        direction=pl.when(pl.col("factor") > 1).then(1).otherwise(-1),
        value="recent",
        baseline="usual",
        explanation=pl.format(
            "{}: {} ({} {}, before {})",
            "entity", "text", "metric", pl.col("recent").round(3), pl.col("usual").round(3),
        ),
        evidence=evidence_of(metric="metric", days="recent_days"),
    )  # fmt: skip
    return warned(rows, frames)


def warned_nothing(frames: Frames) -> pl.LazyFrame:
    """No warnings: the pass has no full hour in it."""
    return sessions(pl.LazyFrame(schema={"kind": pl.String(), "entity_type": pl.String(), "entity": pl.String(),
        "time": TIME, "score": pl.Float64(), "explanation": pl.String()}), frames)  # fmt: skip


RULE = Rule("slow_drift", "metric", ("hourly_metrics",), detect)
