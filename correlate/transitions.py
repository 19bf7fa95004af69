"""How the next event of a sequence is distributed, now against the past.

A transition is an event of a state (what was just said) to the next one. Per state and bucket the last
minute's next events are compared with all earlier ones by a two-sample likelihood-ratio test, which
needs no minimum history and grows with evidence: a state with few observations is never very odd.
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import BUCKET_S, REFERENCE, bucket_of

# A bucket is judged together with the one before it, so that rare events still make a sample.
_SLIDE = 2
_STEP_NS = round(BUCKET_S * 1e9)
# Observations of a state before it is judged, and the most that the past counts for.
_MIN_PAST = 3.0
# One observation is an anecdote: with a long past it would be as odd as chance can be.
_LEAST_SEEN = 1.5
_MAX_PAST = 200.0
# A change of the distribution smaller than this (total variation) counts in part only: with many
# observations any shift of the traffic mix is significant, and most are harmless.
_FULL_EFFECT = 0.3
# Fewer failures than before by more than this is a recovery.
_RECOVERY = 0.05
_EXEMPLARS = 3

KEYS = ["entity_type", "entity", "state"]


def divergence(transitions: pl.LazyFrame) -> pl.LazyFrame:
    """Per (entity_type, entity, state, bucket): `stat`, and the next event that gained most.

    `transitions` has entity_type, entity, state, next (UInt64 each), bad (the next event is a failure
    or an early end), time and trace_id, a row per pair of events. Adds `gained` (its next event),
    `share` and `past_share` (of `gained`, now and before), `seen` (observations now), `worse` (by how
    much the share of failures grew), `first` (when `gained` was first seen) and `traces`.
    """
    # What one request does ten times is one observation: its steps depend on each other.
    weighted = transitions.with_columns(bucket_of().alias("bucket")).with_columns(
        (1.0 / pl.len().over([*KEYS, "bucket", "trace_id"])).alias("weight")
    )
    counts = (
        weighted.sort("time", "trace_id")
        .group_by(*KEYS, "next", "bad", "bucket")
        .agg(
            pl.col("weight").sum().alias("count"),
            pl.col("time").first().alias("first"),
            pl.col("trace_id").head(_EXEMPLARS).alias("traces"),
        )
    ).cache()
    return _compared(_judged(counts), *_references(counts))


def _references(counts: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Running totals of the past: per next event, and per state."""
    buckets = (
        counts.group_by(*KEYS, "bucket")
        .agg(pl.col("count").sum().alias("total"), pl.col("count").filter("bad").sum().alias("failed"))
        .sort(*KEYS, "bucket")
    )
    # Once a fault has been part of the past, it would look normal: the past is made of the buckets that
    # fail no more often than the better quarter of what came before them.
    failing = pl.col("failed") / pl.col("total")
    usual = failing.shift(1).rolling_quantile(0.25, "linear", window_size=REFERENCE, min_samples=1).over(KEYS)
    good = buckets.filter(failing <= usual.fill_null(1.0) + 0.25).cache()
    totals = good.select(
        *KEYS,
        pl.col("bucket").alias("past"),
        pl.col("total").cum_sum().over(KEYS).alias("past_total"),
        pl.col("failed").cum_sum().over(KEYS).alias("past_failed"),
    )
    each = (
        counts.join(good.select(*KEYS, "bucket"), on=[*KEYS, "bucket"], how="semi")
        .sort("bucket")
        .select(
            *KEYS,
            "next",
            pl.col("bucket").alias("past_next"),
            pl.col("count").cum_sum().over([*KEYS, "next"]).alias("past_count"),
        )
    )
    return totals.sort("past"), each


def _judged(counts: pl.LazyFrame) -> pl.LazyFrame:
    """The last minute's counts, in buckets in which the state itself occurred."""
    moved = [counts.with_columns(pl.col("bucket") + pl.duration(nanoseconds=i * _STEP_NS)) for i in range(_SLIDE)]
    return (
        pl.concat(moved)
        .join(counts.select(*KEYS, "bucket").unique(), on=[*KEYS, "bucket"], how="semi")
        .sort("first", "next")
        .group_by(*KEYS, "next", "bad", "bucket")
        .agg(pl.col("count").sum(), pl.col("first").first(), pl.col("traces").last())
        .with_columns(
            pl.col("count").sum().over([*KEYS, "bucket"]).alias("seen"),
            (pl.col("bucket") - pl.duration(nanoseconds=_SLIDE * _STEP_NS)).alias("before"),
        )
        .sort("before")
    )


def _compared(now: pl.LazyFrame, totals: pl.LazyFrame, each: pl.LazyFrame) -> pl.LazyFrame:
    joined = (
        now.join_asof(totals, left_on="before", right_on="past", by=KEYS, check_sortedness=False)
        .filter(pl.col("past_total") >= _MIN_PAST)
        .join_asof(each, left_on="before", right_on="past_next", by=[*KEYS, "next"], check_sortedness=False)
    )
    # The past is scaled down to what it may count for at most.
    weight = pl.min_horizontal(pl.lit(1.0), _MAX_PAST / pl.col("past_total"))
    scaled = joined.with_columns(
        (pl.col("past_count").fill_null(0.0) * weight).alias("r"),
        (pl.col("past_total") * weight).alias("total"),
        (pl.col("past_failed") / pl.col("past_total")).alias("past_failing"),
        pl.col("count").alias("n"),
    )
    share, past_share = pl.col("n") / pl.col("seen"), pl.col("r") / pl.col("total")
    ranked = scaled.with_columns(share=share, past_share=past_share, gain=share - past_share)
    n, r = pl.col("n"), pl.col("r")
    return (
        ranked.sort("gain", "next", descending=[True, False])
        .group_by(*KEYS, "bucket")
        .agg(
            (_xlogx(n) + _xlogx(r) - _xlogx(n + r)).sum().alias("terms"),
            (pl.col("total").first() - r.sum()).alias("unseen"),
            pl.len().alias("categories"),
            pl.col("seen").first(),
            pl.col("total").first(),
            pl.col("gain").clip(lower_bound=0.0).sum().alias("effect"),
            (n.filter("bad").sum() / pl.col("seen").first() - pl.col("past_failing").first()).alias("worse"),
            pl.col("next").first().alias("gained"),
            pl.col("share", "past_share", "first", "traces").first(),
        )
        .with_columns(_statistic().alias("stat"))
        .select(*KEYS, "bucket", "stat", "gained", "share", "past_share", "seen", "worse", "first", "traces")
    )


def _statistic() -> pl.Expr:
    """Deviations: Fisher's root of the likelihood ratio, less for small effects, 0 for recoveries."""
    seen, total = pl.col("seen"), pl.col("total")
    # Next events of the past that did not occur now cancel out except in the totals.
    ratio = 2 * (pl.col("terms") - _xlogx(seen) - _xlogx(total) + _xlogx(seen + total))
    freedom = (pl.col("categories") - 1 + (pl.col("unseen") > 1e-9).cast(pl.Int32)).clip(lower_bound=1)
    root = ((2 * ratio.clip(lower_bound=0.0)).sqrt() - (2 * freedom - 1).sqrt()).clip(lower_bound=0.0)
    effect = (pl.col("effect") / _FULL_EFFECT).clip(0.0, 1.0)
    lone = seen < _LEAST_SEEN
    return pl.when(lone | (pl.col("worse") < -_RECOVERY)).then(0.0).otherwise(root * effect)


def _xlogx(value: pl.Expr) -> pl.Expr:
    return pl.when(value > 0).then(value * value.log()).otherwise(0.0)
