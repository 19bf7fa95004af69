"""More warnings and errors than usual.

Signal: log.burst on a service, or on a pod where logs name no service or one pod stands out.
Condition: the severity-weighted count of lines at WARN or above in 30 s is far above the entity's past; where an entity
usually logs three lines or fewer in that time, in five minutes.
Counts are compared on a square-root scale, where a Poisson count varies by one whatever its mean.
Why it matters: most components say so when something breaks; a line that is always there says nothing.
Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, REFERENCE, bucket_of, calibrate, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.templates import ERROR, FATAL, WARN, level, message, readable
from correlate.traces import standing_out

_WEIGHTS = {WARN: 0.3, ERROR: 1.0, FATAL: 2.0}
# Standard deviation of twice the square root of a Poisson count.
_POISSON = 1.0
_SLOW, _SPARSE = "300s", 3.0
# Sums over five minutes overlap, and their past wanders more than counts that do not.
_OVERLAP = 1.3
_SAMPLES = 3
_ANSCOMBE = 0.375


def lines(frames: Frames) -> pl.LazyFrame:
    """Log lines, each once: service, pod, time, level, text, body."""
    return (
        frames["logs"]
        .unique(subset=["service", "pod", "container", "trace_id", "span_id", "time", "body"], keep="any")
        .select("service", "pod", "time", "trace_id", "body", level().alias("level"))
    )


def weight() -> pl.Expr:
    """How much a line of this level counts."""
    return (
        pl.when(pl.col("level") >= FATAL)
        .then(_WEIGHTS[FATAL])
        .when(pl.col("level") >= ERROR)
        .then(_WEIGHTS[ERROR])
        .when(pl.col("level") >= WARN)
        .then(_WEIGHTS[WARN])
        .otherwise(0.0)
    )


def counted(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Calibrated evidence per entity and bucket; quiet buckets are part of the past too."""
    bad = pl.col("level") >= WARN
    ordered = rows.with_columns(weight=weight()).sort("weight", "time", "body", descending=[True, False, False])
    buckets = ordered.group_by("entity_type", "entity", bucket_of().alias("bucket")).agg(
        pl.col("weight").sum(),
        pl.len().cast(pl.Float64).alias("lines"),
        bad.sum().cast(pl.Float64).alias("value"),
        pl.col("time").filter(bad).min().alias("first"),
        message().filter(bad).head(_SAMPLES).str.slice(0, 200).alias("samples"),
        pl.col("trace_id").filter(bad & (pl.col("trace_id") != "")).head(_SAMPLES).alias("traces"),
    )
    past = (
        pl.col("value").shift(1).rolling_median(REFERENCE, min_samples=1).over("entity_type", "entity").fill_null(0.0)
    )
    sample = readable(pl.col("samples").list.first().fill_null(""), 100)
    sentence = pl.format(
        "{} logged {} lines at WARN or above in 30 s, usually {}: {}",
        "entity", pl.col("value").cast(pl.Int64), pl.col("baseline").round(0).cast(pl.Int64), sample,
    )  # fmt: skip
    by = ("entity_type", "entity")
    told = (
        buckets.sort(*by, "bucket")
        # Sparse logs say in five minutes what others say in one bucket; a bucket without a bad line says nothing.
        .with_columns(
            slow=pl.col("weight").rolling_sum_by("bucket", _SLOW).over(by),
            usual=pl.col("lines").shift(1).rolling_median(REFERENCE, min_samples=1).over(by).fill_null(0.0),
        )
        .with_columns(
            stat=_steady("weight"),
            slow=pl.when(pl.col("value") > 0, pl.col("usual") <= _SPARSE).then(_steady("slow")).otherwise(0.0),
        )
        .with_columns(baseline=past, kind=pl.lit("log.burst"), direction=pl.lit(1, pl.Int8))
        .with_columns(explanation=sentence, evidence=pl.struct("samples", "traces").struct.json_encode())
        .select(*EVIDENCE, "first", "slow")
    )
    fast = calibrate(told, floor=_POISSON).rename({"stat": "fast"})
    both = calibrate(fast.with_columns(stat="slow"), floor=_POISSON * _OVERLAP)
    return both.with_columns(stat=pl.max_horizontal("fast", "stat")).select(*EVIDENCE, "first")


def _steady(column: str) -> pl.Expr:
    """A count on the square-root scale, 0 for none."""
    return ((pl.col(column) + _ANSCOMBE).sqrt() - pl.lit(_ANSCOMBE).sqrt()) * 2


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals log.burst."""
    rows = lines(frames).cache()
    named = pl.col("service") != ""
    services = rows.filter(named).with_columns(entity_type=pl.lit("service"), entity="service")
    pods = rows.filter(pl.col("pod") != "").with_columns(entity_type=pl.lit("pod"), entity="pod")
    alone = counted(pods.filter(~named))
    standing = standing_out(counted(pods.filter(named)), rows.filter(named))
    return episodes(pl.concat([counted(services), alone, standing], how="diagonal"), frames)


RULE = Rule(name="log_burst", family="log", reads=("logs",), detect=detect)
