"""From anomaly statistics per time bucket to signals: calibration, hysteresis, one scale of scores.

A statistic rule turns telemetry into evidence (`EVIDENCE`): per entity and bucket how odd it looked,
with the numbers and words behind it. `calibrate` takes away what is always odd about that entity, using
its own past only; `episodes` merges neighbouring hot buckets into one signal each.

Buckets are aligned to the epoch and references count non-empty buckets, so the same telemetry gives the
same episodes whichever window looks at it, and telemetry with holes keeps its reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import polars as pl

from correlate.frames import Frames
from correlate.signals import SIGNAL, TIME

BUCKET_S = 30.0
"""Width of an evidence bucket in seconds."""

REFERENCE = 120
"""How many earlier non-empty buckets an entity is compared with."""

_ODD, _SAME_EPISODE = 3.0, 4
_WHOLE_SURPRISE, _LEAST_SURPRISE = 2.5, 0.5
# Buckets of calm that are taken for granted, so that a young entity's first oddities are news.
_TAKEN_AS_CALM = 10.0
# With so many calm buckets before them, three of four are odd from this many on.
_CALM_FROM = 30

KEYS = ("kind", "entity_type", "entity")

EVIDENCE: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "entity_type": pl.String(),
    "entity": pl.String(),
    # Start of the bucket.
    "bucket": TIME,
    # How odd, in robust standard deviations or their like: 0 is ordinary, 3 notable; never below 0.
    "stat": pl.Float64(),
    "value": pl.Float64(),
    "baseline": pl.Float64(),
    # 1 when value is above baseline, -1 below, 0 when there is no direction.
    "direction": pl.Int8(),
    "explanation": pl.String(),
    # JSON text naming traces, log samples or series.
    "evidence": pl.String(),
}
"""Columns of evidence, one row per kind, entity and bucket. A column `first` (TIME) may say when in the
bucket the oddity began, a column `last` when it was last seen."""


_calibrates: ContextVar[bool] = ContextVar("calibrates", default=True)


@contextmanager
def uncalibrated() -> Iterator[None]:
    """Within, rules that are asked for signals take statistics as they are, in units of `floor`: for ablations.

    What a rule compares inside its statistic, a metric with its own past say, is no calibration and stays. A flag in
    every rule's hands would be one more thing for each author to know, for the sake of one column in a report.
    """
    token = _calibrates.set(False)
    try:
        yield
    finally:
        _calibrates.reset(token)


def bucket_of(time: str = "time", bucket_s: float = BUCKET_S) -> pl.Expr:
    """Start of the epoch-aligned bucket that the time column lies in."""
    return pl.col(time).dt.truncate(f"{round(bucket_s * 1e9)}ns")


def past_median(column: str, by: Sequence[str], reference: int = REFERENCE, quantile: float = 0.5) -> pl.Expr:
    """The column's quantile over up to `reference` earlier rows of the same group; null on the first.

    Rows must be sorted by time within the group. Rows of one group are one per bucket, so this is a
    count of non-empty buckets and not of seconds.
    """
    past = pl.col(column).shift(1)
    return past.rolling_quantile(quantile, "linear", window_size=reference, min_samples=1).over(by)


def calibrate(
    evidence: pl.LazyFrame,
    *,
    floor: float,
    by: Sequence[str] = KEYS,
    reference: int = REFERENCE,
    relative: float = 0.0,
) -> pl.LazyFrame:
    """Evidence whose `stat` says how far it is above the entity's own past, in robust deviations.

    stat becomes max(0, (stat - med) / sqrt(MAD^2 + floor^2 + (relative * med)^2)), all from earlier
    buckets, so an entity that always looks odd ends near 0. With no past at all the median is 0.
    `floor` is in units of the incoming stat: what a single ordinary bucket may vary.
    """
    ordered = evidence.sort(*by, "bucket")
    if not _calibrates.get():
        return ordered.with_columns((pl.col("stat") / floor).clip(lower_bound=0.0).alias("stat"))
    centred = ordered.with_columns(past_median("stat", by, reference).fill_null(0.0).alias("_centre"))
    # The past's residuals are against what was known at the time, which keeps the scale free of the future.
    scaled = centred.with_columns((pl.col("stat") - pl.col("_centre")).abs().alias("_residual")).with_columns(
        (past_median("_residual", by, reference).fill_null(0.0) * 1.4826).alias("_scale")
    )
    spread = (pl.col("_scale").pow(2) + floor**2 + (relative * pl.col("_centre")).pow(2)).sqrt()
    calibrated = ((pl.col("stat") - pl.col("_centre")) / spread).clip(lower_bound=0.0)
    return scaled.with_columns(calibrated.alias("stat")).drop("_centre", "_residual", "_scale")


def above_calm(
    evidence: pl.LazyFrame,
    *,
    floor: float,
    by: Sequence[str] = KEYS,
    reference: int = REFERENCE,
    harmless: pl.Expr | None = None,
) -> pl.LazyFrame:
    """Like `calibrate` for statistics whose own past may be mostly faulty.

    stat becomes max(0, (stat - c) / sqrt(floor^2 + c^2)) with c the past's lower quartile: what is odd
    in three buckets of four is ordinary, what was odd for half of the time is still news. A young entity's past may
    be faulty as a whole, so c is 0 until there is enough of it. Rows that are `harmless` meet the past's median
    instead, after four buckets. What has turned odd often before counts for less, down to half.
    """

    if not _calibrates.get():
        return evidence.sort(*by, "bucket").with_columns((pl.col("stat") / floor).clip(lower_bound=0.0).alias("stat"))

    def past(quantile: float, least: int) -> pl.Expr:
        earlier = pl.col("stat").shift(1)
        return (
            earlier.rolling_quantile(quantile, "linear", window_size=reference, min_samples=least)
            .over(by)
            .fill_null(0.0)
        )

    faulty = past(0.25, _CALM_FROM)
    centre = faulty if harmless is None else pl.when(harmless).then(past(0.5, 4)).otherwise(faulty)
    calibrated = ((pl.col("stat") - centre) / (centre.pow(2) + floor**2).sqrt()).clip(lower_bound=0.0)
    ordered = evidence.sort(*by, "bucket").with_columns(calibrated.alias("stat"))
    # What has turned odd before surprises less, however odd it is: -log of how often, whole at one in twelve. A fault
    # that lasted was one surprise; the last few buckets may be the same episode, which must not speak against itself.
    odd = (pl.col("stat") >= _ODD).cast(pl.Float64)
    begins = (odd * (1.0 - odd.shift(1).fill_null(0.0))).shift(_SAME_EPISODE)
    times = begins.rolling_sum(reference, min_samples=1).over(by).fill_null(0.0)
    seen = pl.int_range(pl.len()).over(by).cast(pl.Float64).clip(upper_bound=float(reference))
    surprise = -((times + 0.5) / (seen + _TAKEN_AS_CALM)).log() / _WHOLE_SURPRISE
    return ordered.with_columns(stat=pl.col("stat") * surprise.clip(_LEAST_SURPRISE, 1.0))


def score_of(stat: pl.Expr) -> pl.Expr:
    """Robust deviations on the common scale: 3 stays 3, 10 becomes 5.9, 100 becomes 9.3, never above 10."""
    return 10.0 * stat / (stat + 7.0)


def episodes(
    evidence: pl.LazyFrame,
    frames: Frames,
    *,
    bucket_s: float = BUCKET_S,
    threshold: float = 3.0,
    release: float | None = None,
    gap: int = 2,
    fade: int = 10,
) -> pl.LazyFrame:
    """Signals (`SIGNAL`), one per run of hot buckets of one (kind, entity_type, entity).

    A run starts at the first bucket whose stat reaches `threshold` and goes on while buckets stay at or
    above `release` (half the threshold unless given), with at most `gap` cooler or empty buckets in
    between and one that reaches the threshold in every `fade` buckets. Its score comes from its two
    hottest buckets; a second one that is missing counts as 0, because what lasts is surer than what
    passes, but no run scores below the threshold's score.
    `onset` is the first hot bucket's start (or `first`), `until` the last one's end (or `last`). `seen`
    is the last moment of evidence, so a run that goes on is reported again by the next window with the
    same onset. Only runs seen inside the window are returned; runs that ended before are not.
    """
    cool = threshold / 2 if release is None else release
    width = pl.duration(nanoseconds=round(bucket_s * 1e9))
    warm = _complete(evidence, width).filter(pl.col("stat") >= cool).sort(*KEYS, "bucket", *_TIES)
    hot = pl.col("stat") >= threshold
    last_hot = pl.when(hot).then("bucket").shift(1).forward_fill()
    pause = (pl.col("bucket").diff() > width * (gap + 1)).fill_null(True)
    faded = (pl.col("bucket") - last_hot > width * fade).fill_null(False)
    runs = warm.with_columns((pause | faded).cum_sum().over(KEYS).alias("_run"))
    peak = pl.col("stat") == pl.col("stat").max()
    found = runs.group_by(*KEYS, "_run").agg(
        pl.col("first").filter(hot).min().alias("onset"),
        pl.col("last").filter(hot).max().alias("until"),
        score_of(pl.max_horizontal(pl.lit(threshold), pl.col("stat").top_k(2).sum() / 2)).alias("score"),
        hot.any().alias("_hot"),
        *(pl.col(name).filter(peak).first() for name in _TOLD),
    )
    return _as_signals(found.filter(pl.col("_hot")), frames)


_TOLD = ("direction", "value", "baseline", "explanation", "evidence")
# Equal statistics must give the same words in any row order.
_TIES = ("explanation", "evidence")


def _complete(evidence: pl.LazyFrame, width: pl.Expr) -> pl.LazyFrame:
    """Evidence with `first` and `last` filled from the bucket where the rule gave none."""
    names = evidence.collect_schema().names()
    first = pl.col("first") if "first" in names else pl.lit(None, TIME)
    last = pl.col("last") if "last" in names else pl.lit(None, TIME)
    end = pl.col("bucket") + width - pl.duration(nanoseconds=1)
    return evidence.with_columns(
        pl.coalesce(first, "bucket").cast(TIME).alias("first"), pl.coalesce(last, end).cast(TIME).alias("last")
    )


def _as_signals(runs: pl.LazyFrame, frames: Frames) -> pl.LazyFrame:
    sure, likely = pl.col("score") >= 8.0, pl.col("score") >= 5.0
    severity = pl.when(sure).then(pl.lit("high")).when(likely).then(pl.lit("medium")).otherwise(pl.lit("low"))
    # A bucket may reach beyond the window's end; nothing can have been seen there.
    seen = pl.min_horizontal("until", frames.end - pl.duration(nanoseconds=1))
    return (
        runs.with_columns(seen.alias("until"), severity.alias("severity"))
        .with_columns(pl.col("until").alias("seen"))
        .filter(pl.col("seen").is_between(frames.start, frames.end, closed="left"))
        .select(*SIGNAL)
        .cast(pl.Schema(SIGNAL))
    )
