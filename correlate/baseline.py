"""What any ranking has to beat: chance, N-sigma and BARO's scorer over the same telemetry.

Both methods rank entities by the series of theirs that moved most after a given time against the same series before
it. They are told when the fault began; Causeline is not.
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.signals import TIME

_BUCKET = "30s"
READS = ("spans", "logs", "metric_series", "metric_points")


def _identity() -> list[pl.Expr]:
    """entity_type and entity of a series: the most specific name its labels give."""
    order = ["gpu", "pod", "workload", "service", "model", "node"]
    kind = pl.coalesce(*[pl.when(pl.col(name) != "").then(pl.lit(name)) for name in order], pl.lit("")).alias(
        "entity_type"
    )
    name = pl.coalesce(*[pl.when(pl.col(name) != "").then(pl.col(name)) for name in order], pl.lit("")).alias("entity")
    return [kind, name]


def _by_service(frame: pl.LazyFrame, features: dict[str, pl.Expr]) -> pl.LazyFrame:
    buckets = frame.filter(pl.col("service") != "").group_by("service", bucket=pl.col("time").dt.truncate(_BUCKET))
    return (
        buckets.agg(**features)
        .unpivot(index=["service", "bucket"], variable_name="feature", value_name="value")
        .select(
            pl.lit("service").alias("entity_type"), entity="service", feature="feature", bucket="bucket", value="value"
        )
    )


def features(frames: Frames) -> pl.LazyFrame:
    """(entity_type, entity, feature, bucket, value): every series of every entity in 30 s buckets."""
    metrics = (
        frames["metric_points"]
        .join(frames["metric_series"].with_columns(_identity()), on="series")
        .filter(pl.col("entity") != "")
        .group_by(
            "entity_type",
            "entity",
            feature=pl.col("series").cast(pl.String),
            bucket=pl.col("time").dt.truncate(_BUCKET),
        )
        .agg(value=pl.col("value").mean())
    )
    spans = _by_service(
        frames["spans"],
        {
            "span.duration": pl.col("duration_ms").mean(),
            "span.count": pl.len().cast(pl.Float64),
            "span.errors": pl.col("error").sum().cast(pl.Float64),
        },
    )
    logs = _by_service(
        frames["logs"],
        {
            "log.count": pl.len().cast(pl.Float64),
            "log.errors": (pl.col("severity") >= 17).sum().cast(pl.Float64),
        },
    )
    return pl.concat([metrics, spans, logs])


def nsigma(buckets: pl.DataFrame, at_ns: int, window_s: float, history_s: float = 600.0) -> pl.DataFrame:
    """Entities ranked by their largest |mean after - mean before| / deviation before, best first.

    `buckets` is `features(...)` collected; "before" is `history_s` seconds up to `at_ns`, "after"
    is `window_s` seconds from it. Columns entity_type, entity, score.
    """
    at = pl.lit(at_ns).cast(TIME)
    before = pl.col("bucket").is_between(at - pl.duration(seconds=history_s), at, closed="left")
    after = pl.col("bucket").is_between(at, at + pl.duration(seconds=window_s), closed="left")
    spread = pl.col("value").filter(before).std().fill_null(0.0)
    scale = pl.max_horizontal(spread, pl.col("value").filter(before).mean().abs() * 1e-3, pl.lit(1e-9))
    shift = (pl.col("value").filter(after).mean() - pl.col("value").filter(before).mean()).abs()
    return (
        buckets.filter(before | after)
        .group_by("entity_type", "entity", "feature")
        .agg(score=shift / scale)
        .drop_nulls("score")
        .group_by("entity_type", "entity")
        .agg(pl.max("score"))
        .sort("score", "entity_type", "entity", descending=[True, False, False])
    )


def robust(buckets: pl.DataFrame, at_ns: int, window_s: float, history_s: float = 600.0) -> pl.DataFrame:
    """Entities ranked as BARO's RobustScorer does: largest (value - median before) / interquartile range before.

    The largest over all buckets after `at_ns` and all series of the entity, upwards only; a range of 0 counts as 1.
    Arguments and columns are those of `nsigma`. Source: https://arxiv.org/abs/2405.09330, RobustScaler as in
    https://scikit-learn.org/stable/modules/generated/sklearn.preprocessing.RobustScaler.html
    """
    at = pl.lit(at_ns).cast(TIME)
    before = pl.col("bucket").is_between(at - pl.duration(seconds=history_s), at, closed="left")
    after = pl.col("bucket").is_between(at, at + pl.duration(seconds=window_s), closed="left")
    past = pl.col("value").filter(before)
    width = past.quantile(0.75, "linear") - past.quantile(0.25, "linear")
    scale = pl.when(width > 0).then(width).otherwise(1.0)
    return (
        buckets.filter(before | after)
        .group_by("entity_type", "entity", "feature")
        .agg(score=(pl.col("value").filter(after).max() - past.median()) / scale)
        .drop_nulls("score")
        .group_by("entity_type", "entity")
        .agg(pl.max("score"))
        .sort("score", "entity_type", "entity", descending=[True, False, False])
    )


def chance_at(k: int, candidates: int, accepted: int) -> float:
    """Probability that a random order of `candidates` has one of `accepted` names among its first `k`."""
    if candidates <= 0 or accepted <= 0:
        return 0.0
    miss = 1.0
    for drawn in range(min(k, candidates)):
        miss *= max(candidates - accepted - drawn, 0) / (candidates - drawn)
    return 1.0 - miss
