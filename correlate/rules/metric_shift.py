"""Any metric whose level moved away from its own past, up or down.

Signal: metric.shift on the most specific entity of the series, naming the strongest metrics.
Condition: per series, the median of three minutes against the trailing median of an hour, in units of
max(1.4826 MAD, IQR / 1.349, 10 % of the median). Per entity, the sum of log1p of that over its metrics, so that
many small movements add up and one idle series' noise does not. It must last two minutes.
Why it matters: no list of metrics is complete; most faults move something, and its own past is what every
series can be compared with.
Source: the scale is a robust one, https://en.wikipedia.org/wiki/Robust_measures_of_scale; levels and windows are
this project's, chosen on labelled data.
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, episodes
from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.series_values import NOT_MEASURES, values
from correlate.sightings import EXPORTED

BUCKET_S = 60.0
NOW = 3
"""Buckets whose median is judged; fewer than half of them moved is not a shift."""

REFERENCE, LAG = 60, 5
"""How many buckets, ending how many before now, say what is usual."""

_MIN_REFERENCE = 10
_RELATIVE_FLOOR = 0.1
_FROM_NOTHING, _OF_NOW = 0.05, 0.01
_NOTABLE = 4.0
# Metrics of one entity move together, and often: about two that moved far are one notable fact.
_ONE_FACT = 2.5
THRESHOLD = 3.0


def _identified(frames: Frames) -> pl.LazyFrame:
    exported = pl.col("metric").str.contains(EXPORTED)
    own = (
        frames["metric_series"]
        .filter(~pl.col("metric").str.contains(NOT_MEASURES))
        .with_columns(service=pl.when(exported).then(pl.lit("")).otherwise("service"))
    )
    kind, name = most_specific()
    return own.with_columns(entity_type=kind, entity=name).filter(pl.col("entity") != "")


def _candidates(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Series that can be notable at all: by the floor of the scale, a level must differ by this share of itself."""
    value = pl.col("value")
    stats = rows.group_by("series").agg(
        (value.max() - value.min()).alias("range"), value.abs().min().alias("least"), pl.len().alias("buckets")
    )
    least = _NOTABLE * _RELATIVE_FLOOR * pl.col("least")
    return stats.filter(
        pl.col("buckets") >= _MIN_REFERENCE + NOW, pl.col("range") > 0, pl.col("range") >= least
    ).select("series")


def shifts(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Add `now, usual, stat` to `series, bucket, value` (sorted): how many scales the level is off the trailing one."""
    value = pl.col("value")
    past = value.shift(LAG)

    def trailing(q: float) -> pl.Expr:
        return past.rolling_quantile(q, "linear", window_size=REFERENCE, min_samples=_MIN_REFERENCE).over("series")

    moved = rows.with_columns(
        now=value.rolling_quantile(0.5, "linear", window_size=NOW, min_samples=NOW).over("series"),
        usual=trailing(0.5),
        iqr=trailing(0.75) - trailing(0.25),
        past=past.over("series"),
    ).with_columns(residual=(pl.col("past") - pl.col("usual")).abs())
    mad = (
        pl.col("residual")
        .rolling_quantile(0.5, "linear", window_size=REFERENCE, min_samples=_MIN_REFERENCE)
        .over("series")
    )
    # A rise by orders of magnitude says little more than a rise by one, and from nothing there is no scale at all.
    share = pl.when(pl.col("usual") == 0).then(_FROM_NOTHING).otherwise(_OF_NOW)
    floor = pl.max_horizontal(_RELATIVE_FLOOR * pl.col("usual").abs(), share * pl.col("now").abs())
    scale = pl.max_horizontal(1.4826 * mad, pl.col("iqr") / 1.349, floor)
    return moved.with_columns(scale=scale).with_columns(
        stat=pl.when(pl.col("scale") > 0).then((pl.col("now") - pl.col("usual")).abs() / pl.col("scale")).otherwise(0.0)
    )


def evidence(frames: Frames) -> pl.LazyFrame:
    """EVIDENCE rows per entity and bucket, with the strongest metrics named; `first` is where the shift began."""
    series = _identified(frames)
    rows = values(frames, series, f"{round(BUCKET_S)}s")
    kept = rows.join(_candidates(rows), on="series", how="semi").sort("series", "bucket")
    moved = shifts(kept).filter(pl.col("stat") >= _NOTABLE)
    named = moved.join(series.select("series", "metric", "entity_type", "entity"), on="series")
    per_metric = (
        named.sort("stat", "series", descending=True)
        .group_by("entity_type", "entity", "bucket", "metric")
        .agg(pl.col("stat", "now", "usual").first(), pl.col("time").max())
        .sort("stat", "metric", descending=True)
    )
    width = pl.duration(seconds=round(BUCKET_S))
    top = pl.col("metric").head(3)
    return (
        per_metric.group_by("entity_type", "entity", "bucket")
        .agg(
            (pl.col("stat").log1p().sum() / _ONE_FACT).alias("stat"),
            pl.col("now").first().alias("value"),
            pl.col("usual").first().alias("baseline"),
            top.str.join(", ").alias("names"),
            top.alias("metrics"),
            pl.len().alias("count"),
            pl.col("time").max().alias("last"),
        )
        .with_columns(
            kind=pl.lit("metric.shift"),
            # The median of NOW buckets turns when the middle one does.
            first=pl.col("bucket") - width * (NOW // 2),
            direction=pl.when(pl.col("value") >= pl.col("baseline")).then(1).otherwise(-1).cast(pl.Int8),
            explanation=pl.format("{} metrics of {} shifted: {}", "count", "entity", "names"),
            evidence=pl.struct("metrics").struct.json_encode(),
        )
        .select(*EVIDENCE, "first", "last")
        .cast(pl.Schema(EVIDENCE))
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Entities whose metrics shifted for at least two buckets, seen in the window."""
    rows = evidence(frames)
    keys = ("entity_type", "entity")
    width = pl.duration(seconds=round(BUCKET_S))
    ordered = rows.sort(*keys, "bucket")
    beside = (pl.col("bucket").diff().over(keys) <= width) | (
        pl.col("bucket").shift(-1).over(keys) - pl.col("bucket") <= width
    )
    return episodes(ordered.filter(beside.fill_null(value=False)), frames, bucket_s=BUCKET_S, threshold=THRESHOLD)


RULE = Rule("metric_shift", "metric", ("metric_series", "metric_points", "histogram_points"), detect)
