"""What store/sql/metric_levels.sql does, in expressions: for rule tests without a store, and to compare it with."""

from __future__ import annotations

import polars as pl

from correlate import series_values
from correlate.frames import Frames
from correlate.levels import NOT_MEASURES


def values(frames: Frames, series: pl.LazyFrame, bucket: str) -> pl.LazyFrame:
    """`series, bucket, time, value` of those of the given series that measure something."""
    return series_values.values(frames, series.filter(~pl.col("metric").str.contains(NOT_MEASURES)), bucket)
