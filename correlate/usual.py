"""A value per bucket against its own past, for rules that know what the value means.

Rules for named metrics share this: the last few buckets by their least and their most, usual as the median of the
hour that ended some buckets before, spread as the past's robust deviation. Metrics whose meaning nobody knows are
`metric_shift`'s.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

REFERENCE = 60
"""How many earlier buckets say what is usual."""


def against_past(
    rows: pl.LazyFrame, by: Sequence[str], *, now: int = 2, lag: int = 5, least: int = 10, value: str = "value"
) -> pl.LazyFrame:
    """Rows with `bucket` and a value, plus `least_now, most_now, usual, spread` of their group.

    All of the last `now` buckets must have moved to be seen: a rise shows in their least, a fall in their most. The
    reference ended `lag` buckets before and is null until it has `least` of them.
    """
    past = pl.col(value).shift(lag)

    def trailing(column: pl.Expr, quantile: float) -> pl.Expr:
        return column.rolling_quantile(quantile, "linear", window_size=REFERENCE, min_samples=least).over(by)

    return (
        rows.sort(*by, "bucket")
        .with_columns(
            least_now=pl.col(value).rolling_min(now, min_samples=now).over(by),
            most_now=pl.col(value).rolling_max(now, min_samples=now).over(by),
            usual=trailing(past, 0.5),
            past=past.over(by),
        )
        .with_columns(spread=1.4826 * trailing((pl.col("past") - pl.col("usual")).abs(), 0.5))
        .drop("past")
    )
