"""Hours that are unlike the same hour of the days before.

Signal: drift.season on the entity of the series.
Condition: once an hour, where there are seven days of history; the hour's mean (growth, for counters) is five robust
deviations and 30 % away from what the same hour of the day was, and so was the hour before.
Why it matters: load has a day's rhythm, so a quiet noon hides from whoever compares it with the morning, and a busy
night looks like noon. Context: opens no incident.
Source: https://www.nist.gov/itl/sed/products-services/handbook (seasonal sub-series)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames, full_hour
from correlate.rule import Rule
from correlate.rules.slow_drift import identified, warned, warned_nothing
from correlate.sessions import evidence_of

_MIN_DAYS = 7
_DEVIATIONS, _RELATIVE, _FLOOR = 5.0, 0.3, 0.05
_LOAD = r"(?i)request|queue|waiting|tokens|success"


def detect(frames: Frames) -> pl.LazyFrame:
    """Warnings of the full hour in the window."""
    if full_hour(frames.window) is None:
        return warned_nothing(frames)
    keys = ("entity_type", "entity", "metric")
    value = pl.when(pl.col("type").is_in(["sum", "delta_sum"])).then("growth").otherwise("mean")
    rows = (
        identified(frames)
        .filter(pl.col("metric").str.contains(_LOAD))
        .group_by(*keys, "hour", "day")
        .agg(value.sum().alias("value"))
        .with_columns(at=pl.col("hour").dt.hour())
        .sort(*keys, "at", "hour")
    )
    per = (*keys, "at")
    past = pl.col("value").filter(pl.col("day") > 0)
    # Both of the last two hours are day 0; each has its own past.
    judged = (
        rows.with_columns(usual=past.median().over(per), days=past.len().over(per))
        .with_columns(off=(pl.col("value") - pl.col("usual")).abs())
        .with_columns(mad=1.4826 * pl.col("off").filter(pl.col("day") > 0).median().over(per))
        .filter(pl.col("days") >= _MIN_DAYS)
        .with_columns(
            odd=(pl.col("off") >= _DEVIATIONS * pl.max_horizontal("mad", _FLOOR * pl.col("usual").abs()))
            & (pl.col("off") >= _RELATIVE * pl.col("usual").abs())
        )
        .sort(*keys, "hour")
    )
    last = judged.group_by(keys).agg(
        pl.col("odd").tail(2).all().alias("odd"),
        pl.col("day").last(),
        pl.col("odd").len().alias("hours"),
        pl.col("value").last(),
        pl.col("usual").last(),
    )
    odd = last.filter("odd", pl.col("day") == 0, pl.col("hours") >= 2).select(
        "entity_type",
        "entity",
        kind=pl.lit("drift.season"),
        direction=pl.when(pl.col("value") > pl.col("usual")).then(1).otherwise(-1),
        value="value",
        baseline="usual",
        explanation=pl.format(
            "{} of {} is {}, at this hour usually {}",
            "metric", "entity", pl.col("value").round(2), pl.col("usual").round(2),
        ),
        evidence=evidence_of(metric="metric"),
    )  # fmt: skip
    return warned(odd, frames)


RULE = Rule("seasonal_shift", "metric", ("hourly_metrics",), detect)
