"""Span latencies against their own past: what trace rules share.

A latency is judged per part (an operation, or an edge between two services) and bucket, in log space:
how far the bucket's median is from the median of earlier buckets, in robust deviations. An entity is as
odd as its parts are on the whole, so one slow request does not accuse a service of many operations.
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, REFERENCE, bucket_of
from correlate.frames import Frames

# Below this, differences between two latencies are measurement noise.
_FLOOR_MS = 0.3
# A median may wander by this much (in natural logarithms) without being odd.
_WANDER = 0.15
# Earlier non-empty buckets a part needs before it is judged.
_MIN_BUCKETS = 2
# After this many of them the spread of the past is trusted as it is.
_SHORT_PAST = 6.0
# With n spans in a bucket, n / (n + this) of the deviation counts: latencies have heavy tails.
_FEW_SPANS = 2.0
_EXEMPLARS = 3
# Buckets in a row that far off make an episode, which is no reference for what comes later.
_EPISODE = 3
_FAR = 4.0


# A host of a public domain is a system outside: its first label ("api") names nothing by itself.
_PUBLIC = r"(?i)^(?:[a-z0-9_-]+\.)+(?:com|net|org|io|ai|app|co|dev|cloud|eu|us|uk|de|cn)$"
_LABEL = r"^([A-Za-z][A-Za-z0-9_-]*)(?:[.:]|$)"


def spans(frames: Frames) -> pl.LazyFrame:
    """The spans that name a service, each once however often it was delivered.

    A peer whose first label is another of these services is that service, whatever domain it is called by.
    """
    first = pl.col("peer").str.extract(_LABEL)
    own = first.is_in(pl.col("service").unique().implode()) & (first != pl.col("service"))
    return (
        frames["spans"]
        .filter(pl.col("service") != "")
        .unique(subset=["trace_id", "span_id"], keep="any")
        .with_columns(peer=pl.when(own).then(first).otherwise("peer"))
    )


def peer_service() -> pl.Expr:
    """What a client span went to: a service, by the first label of its host, or a public host; null for addresses."""
    host = pl.col("peer").str.replace(r":\d+$", "")
    return pl.when(host.str.contains(_PUBLIC)).then(host).otherwise(pl.col("peer").str.extract(_LABEL))


def side(name: str) -> pl.Expr:
    """The entity type of an end of a call: `dependency` for a public host, else `service`."""
    return pl.when(pl.col(name).str.contains(_PUBLIC)).then(pl.lit("dependency")).otherwise(pl.lit("service"))


def parents(distinct: pl.LazyFrame) -> pl.LazyFrame:
    """What a child needs to know of its parent, keyed by (trace_id, parent_id)."""
    return distinct.select(
        "trace_id",
        pl.col("span_id").alias("parent_id"),
        pl.col("service").alias("caller"),
        pl.col("pod").alias("caller_pod"),
        pl.col("time").alias("parent_time"),
        pl.col("duration_ms").alias("parent_ms"),
    )


def shifts(latencies: pl.LazyFrame) -> pl.LazyFrame:
    """Per (entity_type, entity, part, bucket): `stat` and the numbers behind it.

    `latencies` has entity_type, entity, part, time, trace_id and ms, a row per span. Adds `n`, `value`
    and `baseline` (medians in ms), and `traces`, the slowest three.
    """
    keys = ["entity_type", "entity", "part"]
    # Sorted once, so that the first rows of every group are its slowest spans in any row order.
    buckets = (
        latencies.sort("ms", "trace_id", descending=[True, False])
        .group_by(*keys, bucket_of().alias("bucket"))
        .agg(
            pl.len().alias("n"),
            (pl.col("ms") + _FLOOR_MS).log().median().alias("level"),
            pl.col("trace_id").head(_EXEMPLARS).alias("traces"),
        )
        .sort(*keys, "bucket")
    )
    centred = (
        _without_episodes(buckets, keys)
        .with_columns(_past("known", 0.5, keys).alias("centre"))
        .with_columns(
            (pl.col("level") - pl.col("centre")).abs().alias("residual"),
            (pl.col("known") - pl.col("centre")).abs().alias("known_residual"),
        )
    )
    usual = 1.4826 * _past("known_residual", 0.5, keys).fill_null(0.0)
    # A part that jumps now and then must jump further to be odd.
    occasional = _past("known_residual", 0.75, keys).fill_null(0.0)
    # Of a short past nobody knows how far it wanders.
    wander = _WANDER**2 * (1 + _SHORT_PAST / pl.int_range(pl.len()).over(keys))
    spread = (pl.max_horizontal(usual, occasional).pow(2) + wander).sqrt()
    shrunk = pl.col("n") / (pl.col("n") + _FEW_SPANS)
    stat = ((pl.col("level") - pl.col("centre")) / spread * shrunk).clip(lower_bound=0.0)
    return (
        centred.with_columns(stat.alias("stat"))
        .filter(pl.int_range(pl.len()).over(keys) >= _MIN_BUCKETS)
        .with_columns(_ms("level").alias("value"), _ms("centre").alias("baseline"))
        .select(*keys, "bucket", "stat", "n", "value", "baseline", "traces")
    )


def _without_episodes(buckets: pl.LazyFrame, keys: list[str]) -> pl.LazyFrame:
    """Add `known`: the level where it may serve as a reference, null in what looks like an earlier fault.

    A fault that lasted would hide the next one for as long as the reference reaches back. A bucket does not count
    when it and the two before it are all far off the median of the past; a level that stays becomes the median.
    """
    centre = _past("level", 0.5, keys)
    off = (pl.col("level") - centre) / (
        (1.4826 * _past("residual", 0.5, keys).fill_null(0.0)).pow(2) + 4 * _WANDER**2
    ).sqrt()
    return (
        buckets.with_columns((pl.col("level") - centre).abs().alias("residual"))
        .with_columns((off.abs() >= _FAR).cast(pl.Int32).fill_null(0).alias("far"))
        .with_columns(
            pl.when(pl.col("far").rolling_sum(_EPISODE, min_samples=_EPISODE).over(keys).fill_null(0) < _EPISODE)
            .then("level")
            .alias("known")
        )
    )


def _past(column: str, quantile: float, keys: list[str]) -> pl.Expr:
    past = pl.col(column).shift(1)
    return past.rolling_quantile(quantile, "linear", window_size=REFERENCE, min_samples=1).over(keys)


def _ms(level: str) -> pl.Expr:
    return (pl.col(level).exp() - _FLOOR_MS).clip(lower_bound=0.0)


def by_entity(parts: pl.LazyFrame, kind: str, sentence: pl.Expr) -> pl.LazyFrame:
    """Evidence of `kind`: an entity's parts of one bucket as one row, told by the oddest part.

    `sentence` may use part, n, value, baseline, `parts` (how many the entity has in the bucket) and
    `slower` (how many of them are 50 % or more above their baseline).
    """
    keys = ["entity_type", "entity", "bucket"]
    slower = pl.col("value") > 1.5 * pl.col("baseline")
    told = ("part", "n", "value", "baseline", "traces")
    return (
        parts.sort("stat", "part", descending=[True, False])
        .group_by(keys)
        .agg(
            # Between the mean and the sum: breadth counts, the number of quiet parts hardly does.
            (pl.col("stat").pow(2).sum().sqrt() / pl.len().pow(0.25)).alias("stat"),
            pl.len().alias("parts"),
            slower.sum().alias("slower"),
            *(pl.col(name).first() for name in told),
        )
        .with_columns(
            pl.lit(kind).alias("kind"),
            pl.lit(1, pl.Int8).alias("direction"),
            sentence.alias("explanation"),
            pl.struct("part", "traces").struct.json_encode().alias("evidence"),
        )
        .select(*EVIDENCE)
    )


def standing_out(pods: pl.LazyFrame, siblings: pl.LazyFrame, threshold: float = 3.0) -> pl.LazyFrame:
    """Evidence of pods that are far odder than the other pods of their service in the same bucket.

    `pods` is evidence whose entities are pods; `siblings` has service and pod. What all pods of a
    service share is the service's evidence and not theirs.
    """
    service = siblings.select("service", pl.col("pod").alias("entity")).filter(pl.col("entity") != "").unique()
    beside = pl.col("stat").median().over("service", "bucket", "kind")
    several = pl.len().over("service", "bucket", "kind") > 1
    return (
        pods.join(service, on="entity")
        .filter(several & (pl.col("stat") - beside >= pl.max_horizontal(pl.lit(threshold), pl.col("stat") / 2)))
        .select(*EVIDENCE)
    )
