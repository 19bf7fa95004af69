"""How far metric levels are off their own past, in robust scales: the statistic behind metric shifts.

Rows are levels of correlate.levels: one per series and non-empty minute. `store/sql/metric_levels.sql` keeps what
cannot reach NOTABLE to itself, by the same paces and by limits that are these or looser: change both together.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from correlate import golden
from correlate.levels import BUCKET_S


@dataclass(frozen=True, slots=True)
class Pace:
    """How series sampled every `every_s` or more are judged, in buckets that hold a sample.

    The median of `now` buckets is judged (fewer than half of them moved is not a shift) against the 60 that ended
    `lag` before, of which at least `least` must exist.
    """

    every_s: float
    now: int
    lag: int
    least: int


PACES = (Pace(0.0, 3, 5, 10), Pace(90.0, 2, 3, 8), Pace(150.0, 1, 2, 6))
REFERENCE = 60
"""How many earlier buckets say what is usual."""

_RELATIVE_FLOOR = 0.1
_SHARE_FLOOR = 0.002
_FROM_NOTHING, _OF_NOW = 0.05, 0.01
NOTABLE = 4.0
"""Scales from which a level counts as moved."""

# Samples in a row that far off make an episode.
_EPISODE = 3


def described(rows: pl.LazyFrame, series: pl.LazyFrame) -> pl.LazyFrame:
    """What is known of each series that can be notable: its pace, its meaning, and the whole it is a share of."""
    value = pl.col("value")
    stats = rows.group_by("series").agg(
        (value.max() - value.min()).alias("range"),
        value.abs().min().alias("least"),
        value.max().alias("most"),
        pl.len().alias("buckets"),
        (pl.col("bucket").sort().diff().dt.total_seconds().median()).alias("every_s"),
    )
    meanings = pl.col("meaning").n_unique().over("entity_type", "entity")
    meant = series.with_columns(meaning=golden.meaning()).with_columns(meanings=meanings)
    named = stats.join(meant, on="series").with_columns(whole=golden.whole(), success=golden.counts_successes())
    # By the floor of the scale, a level must differ by this share of itself; of a share, the failing part counts.
    least = NOTABLE * _RELATIVE_FLOOR * pl.col("least")
    can = (pl.col("range") > 0) & (pl.col("whole").is_not_null() | (pl.col("range") >= least))
    return named.filter(can, pl.col("buckets") > PACES[-1].least).select(
        "series", "metric", "entity_type", "entity", "whole", "meaning", "success", "meanings",
        pl.col("every_s").fill_null(BUCKET_S),
    )  # fmt: skip


def worth_a_look(rows: pl.LazyFrame, pace: Pace, since: pl.Expr) -> pl.LazyFrame:
    """`rows` of entities with a series that is off its usual level since then: scales are not cheap to compute."""
    value = pl.col("value")
    first = rows.with_columns(
        now=value.rolling_quantile(0.5, "linear", window_size=pace.now, min_samples=pace.now).over("series"),
        first_usual=_trailing("value", 0.5, pace),
    )
    # What is usual changes a little once earlier faults are left out.
    off = (pl.col("now") - pl.col("first_usual")).abs() >= 0.5 * NOTABLE * _floor("first_usual", "now")
    moving = first.filter(pl.col("bucket") >= since, off).select("entity_type", "entity").unique()
    return first.join(moving, on=["entity_type", "entity"], how="semi", maintain_order="left")


def shifts(rows: pl.LazyFrame, pace: Pace) -> pl.LazyFrame:
    """Add `usual, stat` to `series, bucket, value, whole, now, first_usual` (sorted): how many scales it is off."""
    value = pl.col("value")
    # What looks like an earlier fault is no reference: it would hide the next one for as long as the reference reaches.
    calm = (
        rows.with_columns(first_residual=(value - pl.col("first_usual")).abs())
        .with_columns(first_mad=1.4826 * _trailing("first_residual", 0.5, pace))
        .with_columns(
            far=(pl.col("first_residual") >= NOTABLE * pl.max_horizontal("first_mad", _floor("first_usual", "value")))
            .cast(pl.Int32)
            .fill_null(0)
        )
        .with_columns(
            known=pl.when(
                pl.col("far").rolling_sum(_EPISODE, min_samples=_EPISODE).over("series").fill_null(0) < _EPISODE
            ).then("value")
        )
    )
    moved = calm.with_columns(
        usual=_trailing("known", 0.5, pace),
        iqr=_trailing("known", 0.75, pace) - _trailing("known", 0.25, pace),
        high=_trailing("known", 0.95, pace),
        past=pl.col("known").shift(pace.lag).over("series"),
    ).with_columns(residual=(pl.col("past") - pl.col("usual")).abs())
    mad = (
        pl.col("residual").rolling_quantile(0.5, "linear", window_size=REFERENCE, min_samples=pace.least).over("series")
    )
    # What jumps now and then must jump further to be odd.
    occasional = (pl.col("high") - pl.col("usual")) / 1.645
    scale = pl.max_horizontal(1.4826 * mad, pl.col("iqr") / 1.349, occasional, _floor("usual", "now"))
    return moved.with_columns(scale=scale).with_columns(
        stat=pl.when(pl.col("scale") > 0).then((pl.col("now") - pl.col("usual")).abs() / pl.col("scale")).otherwise(0.0)
    )


def _trailing(column: str, quantile: float, pace: Pace) -> pl.Expr:
    past = pl.col(column).shift(pace.lag)
    return past.rolling_quantile(quantile, "linear", window_size=REFERENCE, min_samples=pace.least).over("series")


def _floor(usual: str, now: str) -> pl.Expr:
    """The least that one scale can be."""
    # A rise by orders of magnitude says little more than a rise by one, and from nothing there is no scale at all.
    share = pl.when(pl.col(usual) == 0).then(_FROM_NOTHING).otherwise(_OF_NOW)
    return pl.max_horizontal(
        _RELATIVE_FLOOR * pl.col(usual).abs(),
        share * pl.col(now).abs(),
        _SHARE_FLOOR * pl.col("whole").fill_null(0.0),
    )
