"""Latencies whose tail leaves the middle behind.

Signal: drift.tail on a service.
Condition: of fifteen minutes' server spans, two hundred at least, the 99th percentile is further from the median than
over the time before, by 30 % of its ratio and three deviations, while the median moved by less than a tenth.
Why it matters: one slow replica, a noisy neighbour or a cache under pressure show in the tail long before an average
moves. Longer prompts do it as well, so this is context and opens no incident.
Source: https://research.google/pubs/the-tail-at-scale/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules.slow_drift import WARNING
from correlate.sessions import evidence_of, sessions
from correlate.traces import spans

_BUCKET = "900s"
_MIN_SPANS, _MIN_PAST = 200, 4
_RATIO, _FLAT, _DEVIATIONS = 1.3, 0.1, 3.0


def detect(frames: Frames) -> pl.LazyFrame:
    """Services whose tail diverged in a quarter of an hour that ended in the window."""
    ms = pl.col("duration_ms")
    quarters = (
        spans(frames)
        .filter(pl.col("kind") == "Server")
        .group_by("service", pl.col("time").dt.truncate(_BUCKET).alias("bucket"))
        .agg(ms.median().alias("middle"), ms.quantile(0.99).alias("tail"), pl.len().alias("n"), pl.col("time").max())
        .filter(pl.col("n") >= _MIN_SPANS, pl.col("middle") > 0)
        .with_columns(ratio=pl.col("tail") / pl.col("middle"))
        .sort("service", "bucket")
    )

    def past(column: str) -> pl.Expr:
        shifted = pl.col(column).shift(1)
        return shifted.rolling_quantile(0.5, "linear", window_size=8, min_samples=_MIN_PAST).over("service")

    judged = (
        quarters.with_columns(usual=past("ratio"), usual_middle=past("middle"))
        .with_columns(off=(pl.col("ratio") - pl.col("usual")).abs())
        .with_columns(deviation=1.4826 * past("off").fill_null(0.0))
    )
    flat = (pl.col("middle") / pl.col("usual_middle") - 1).abs() <= _FLAT
    facts = judged.filter(
        flat,
        pl.col("ratio") >= _RATIO * pl.col("usual"),
        pl.col("ratio") - pl.col("usual") >= _DEVIATIONS * pl.col("deviation"),
        # A quarter that has not ended is no sample of one.
        pl.col("bucket") + pl.duration(seconds=900) <= frames.end,
    ).select(
        "time",
        onset="bucket",
        kind=pl.lit("drift.tail"),
        entity_type=pl.lit("service"),
        entity="service",
        score=pl.lit(WARNING),
        direction=pl.lit(1),
        value="ratio",
        baseline="usual",
        explanation=pl.format(
            "the slowest hundredth of {} takes {} times its median (usually {})",
            "service", pl.col("ratio").round(1), pl.col("usual").round(1),
        ),
        evidence=evidence_of(p50_ms=pl.col("middle").round(1), p99_ms=pl.col("tail").round(1)),
    )  # fmt: skip
    return sessions(facts, frames, gap_s=1800.0)


RULE = Rule("tail_divergence", "trace", ("spans",), detect)
