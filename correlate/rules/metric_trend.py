"""Gauges that climb without pause, or vary more than they used to, within hours.

Signal: drift.trend or drift.spread on the most specific entity of the series.
Condition: once an hour, over the last four hours of every gauge, a value each two minutes. Trend: in the last two
hours the value follows a straight line (correlation of 0.97 or more) and moves by 25 % of its level before or more, at
least four times what it moved by in the two hours before; traffic is left out, its rhythm is the day's. Spread: in the
last hour steps between values are in the median four times those before, and 5 % of the level or more, while the
level itself stayed within 30 %. Of an entity's series the strongest is told. A hundred thousand series hold some that
do this by chance: the limits let none of thousands of series of noise through but for a random walk now and then, and
what one in a hundred of at least a hundred entities does alike, they have in common: it is told once, by the strongest.
Why it matters: a leak, a filling disk or a queue that never empties is too slow for a shift against the last hour and
done before a comparison of days sees it; what swings is losing control before it fails.
They are context: they open no incident and stand beside one of the same entity.
Source: https://sre.google/workbook/alerting-on-slos/ and
https://www.itl.nist.gov/div898/handbook/eda/section3/runseqpl.htm (shifts in location, and in variation)
"""

from __future__ import annotations

import polars as pl

from correlate import golden
from correlate.frames import Frames, full_hour
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.rules.slow_drift import warned, warned_nothing
from correlate.sessions import evidence_of
from correlate.sightings import EXPORTED

_STEADY, _MOVED, _FLAT_BEFORE = 0.97, 0.25, 4.0
_WILDER, _OF_LEVEL, _STAYED = 4.0, 0.05, 0.3
# From nothing there is no relative move; a metric in units of its own must have moved by something that counts.
_LEAST = 1e-9
# Of this many entities or more, all of which one metric moves alike, they have in common what moves it.
_COMMON = 100
_SHARE = 0.01


def _identified(frames: Frames) -> pl.LazyFrame:
    exported = pl.col("metric").str.contains(EXPORTED)
    series = frames["metric_series"].with_columns(service=pl.when(exported).then(pl.lit("")).otherwise("service"))
    kind, name = most_specific()
    return series.select("series", "metric", entity_type=kind, entity=name, meaning=golden.meaning()).filter(
        pl.col("entity") != ""
    )


def _moved() -> pl.Expr:
    level = pl.col("before").abs()
    rise = pl.col("rise").abs()
    return (
        (pl.col("steadiness").abs() >= _STEADY)
        & (rise >= pl.max_horizontal(_MOVED * level, pl.lit(_LEAST)))
        & (rise >= _FLAT_BEFORE * pl.col("rose").abs())
        & (pl.col("meaning") != golden.TRAFFIC)
    )


def _wilder() -> pl.Expr:
    level = pl.max_horizontal(pl.col("before").abs(), pl.col("now").abs())
    stayed = (pl.col("now") - pl.col("before")).abs() <= _STAYED * level
    return (
        (pl.col("usual_jump") > 0)
        & (pl.col("jump") >= _WILDER * pl.col("usual_jump"))
        & (pl.col("jump") >= _OF_LEVEL * level)
        & stayed
    )


def _told(rows: pl.LazyFrame) -> pl.LazyFrame:
    """The strongest series of each entity; of a metric that moves everywhere alike, the strongest entity."""
    strongest = rows.sort("strength", "metric", "series", descending=[True, False, False]).unique(
        subset=["kind", "entity_type", "entity"], keep="first", maintain_order=True
    )
    alike = ["kind", "metric", "entity_type", "direction"]
    common = (pl.col("holders") >= _COMMON) & (pl.len().over(alike) >= _SHARE * pl.col("holders"))
    first = pl.int_range(pl.len()).over(alike) == 0
    return strongest.filter(~common | first)


def detect(frames: Frames) -> pl.LazyFrame:
    """Warnings of the full hour in the window."""
    if full_hour(frames.window) is None:
        return warned_nothing(frames)
    series = _identified(frames)
    holders = series.group_by("metric", "entity_type").agg(pl.col("entity").n_unique().alias("holders"))
    rows = frames["metric_trends"].join(series, on="series").join(holders, on=["metric", "entity_type"])
    way = pl.when(pl.col("rise") > 0).then(1).otherwise(-1)
    trends = rows.filter(_moved()).with_columns(
        kind=pl.lit("drift.trend"),
        direction=way,
        strength=pl.col("rise").abs() / pl.max_horizontal(pl.col("before").abs(), pl.lit(_LEAST)),
        value="now",
        baseline="before",
        explanation=pl.format(
            "{}: {} {} without pause for two hours, from {} to {}",
            "entity",
            "metric",
            pl.when(pl.col("rise") > 0).then(pl.lit("climbs")).otherwise(pl.lit("falls")),
            pl.col("before").round(3),
            pl.col("now").round(3),
        ),
    )
    spreads = rows.filter(_wilder()).with_columns(
        kind=pl.lit("drift.spread"),
        direction=pl.lit(1),
        strength=pl.col("jump") / pl.col("usual_jump"),
        value="jump",
        baseline="usual_jump",
        explanation=pl.format(
            "{}: {} jumps by {} from one moment to the next, usually by {}",
            "entity", "metric", pl.col("jump").round(3), pl.col("usual_jump").round(3),
        ),
    )  # fmt: skip
    found = _told(pl.concat([trends, spreads], how="vertical_relaxed"))
    return warned(found.with_columns(evidence=evidence_of(metric="metric")), frames)


RULE = Rule("metric_trend", "metric", ("metric_series", "metric_trends"), detect)
