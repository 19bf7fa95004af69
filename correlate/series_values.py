"""Metric series as one value per bucket: gauges as means, counters as rates, histograms as mean observations.

For rules that read points of named metrics; `store/sql/metric_levels.sql` does the same for all metrics.
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames

VALUES = ("series", "bucket", "time", "value")


def values(frames: Frames, series: pl.LazyFrame, bucket: str) -> pl.LazyFrame:
    """`series, bucket, time, value` of the given series (columns series, type), sorted; time is a bucket's last sample.

    A counter that falls was reset: the new value is what has been counted since. A histogram's value is the mean
    of what was observed since the sample before, and absent when nothing was.
    """
    chosen = series.select("series", "type")
    parts = [
        _gauges(frames["metric_points"].join(chosen.filter(pl.col("type") == "gauge").select("series"), on="series")),
        _counters(frames["metric_points"].join(chosen.filter(pl.col("type").is_in(["sum", "delta_sum"])), on="series")),
        _histograms(
            frames["histogram_points"].join(chosen.filter(pl.col("type") == "histogram").select("series"), on="series")
        ),
    ]
    return (
        pl.concat([part.select("series", "time", "value") for part in parts])
        .group_by("series", pl.col("time").dt.truncate(bucket).alias("bucket"))
        .agg(pl.col("time").max(), pl.col("value").mean())
        .sort("series", "bucket")
        .select(*VALUES)
    )


def _gauges(points: pl.LazyFrame) -> pl.LazyFrame:
    return points


def _step(column: str) -> pl.Expr:
    before = pl.col(column).shift(1).over("series")
    return (
        pl.when(pl.col(column) >= before).then(pl.col(column) - before).when(before.is_not_null()).then(pl.col(column))
    )


def _counters(points: pl.LazyFrame) -> pl.LazyFrame:
    seconds = (pl.col("time").diff().dt.total_milliseconds() / 1000).over("series")
    return (
        points.sort("series", "time")
        .with_columns(
            seconds=seconds, step=pl.when(pl.col("type") == "delta_sum").then("value").otherwise(_step("value"))
        )
        .filter(pl.col("seconds") > 0, pl.col("step").is_not_null())
        .with_columns(value=pl.col("step") / pl.col("seconds"))
    )


def _histograms(points: pl.LazyFrame) -> pl.LazyFrame:
    # The sum of a reset histogram restarts with its count.
    reset = pl.col("count") < pl.col("count").shift(1).over("series")
    fresh = pl.col("delta") | reset
    count = pl.when(fresh).then("count").otherwise(pl.col("count").diff().over("series"))
    total = pl.when(fresh).then("sum").otherwise(pl.col("sum").diff().over("series"))
    return (
        points.sort("series", "time")
        .with_columns(n=count, total=total)
        .filter(pl.col("n") > 0)
        .with_columns(value=pl.col("total") / pl.col("n"))
    )
