"""The rankings Causeline is compared with."""

from __future__ import annotations

import math

import polars as pl

from correlate.baseline import chance_at, nsigma
from correlate.signals import TIME
from tests.kit.causal import nanos


def test_nsigma_puts_the_series_that_jumped_first() -> None:
    rows = [
        ("service", name, "span.duration", nanos(30 * i), 10.0 + (i % 3) + (100.0 if name == "b" and i >= 20 else 0.0))
        for name in ("a", "b", "c")
        for i in range(26)
    ]
    schema = {
        "entity_type": pl.String,
        "entity": pl.String,
        "feature": pl.String,
        "bucket": pl.Int64,
        "value": pl.Float64,
    }
    buckets = pl.DataFrame(rows, schema=schema, orient="row").with_columns(pl.col("bucket").cast(TIME))
    assert nsigma(buckets, nanos(600), 180.0)["entity"].to_list()[0] == "b"


def test_chance_is_the_hypergeometric_probability() -> None:
    assert math.isclose(chance_at(1, 10, 1), 0.1)
    assert math.isclose(chance_at(3, 10, 2), 1 - (8 / 10) * (7 / 9) * (6 / 8))
    assert chance_at(5, 3, 1) == 1.0
    assert chance_at(1, 0, 1) == 0.0
