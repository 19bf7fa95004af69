"""Time lost between two services.

Signal: trace.edge_gap on a service.
Condition: over the calls a service makes and receives, client span minus server span is far above its
own past, per edge and operation, in log space. Of an edge's two ends the one whose edges to others are slower too is
blamed; the other is in so far as nothing speaks for or against it.
Why it matters: the gap holds network, TLS, queueing, retries and a starved process at either end. A
delayed or starved service shows it on nearly all its edges, its neighbours only on the one they share.
Source: https://opentelemetry.io/docs/specs/otel/trace/api/#spankind
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import calibrate, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.templates import ms
from correlate.traces import by_entity, parents, peer_service, shifts, side, spans

# Deviations that an entity's own evidence may vary by in an ordinary bucket.
_FLOOR = 1.0
# What an end without other edges is suspected of, as a share of the edge it is at, and the least suspicion there is.
_UNKNOWN = 0.4
_LEAST = 0.5


def gaps(distinct: pl.LazyFrame) -> pl.LazyFrame:
    """One row per call between two services: caller, callee, operation, time and the gap in ms."""
    answered = _answered(distinct)
    # A call that nothing answered is all gap: a dead or silent callee is waited for.
    calls = distinct.filter((pl.col("kind") == "Client") & peer_service().is_not_null())
    unanswered = calls.join(answered, on=["trace_id", "span_id"], how="anti").select(
        "trace_id",
        pl.col("service").alias("caller"),
        peer_service().alias("callee"),
        pl.concat_str("service", pl.lit(" -> "), peer_service(), pl.lit(" (unanswered) "), "name").alias("part"),
        "time",
        pl.col("duration_ms").alias("ms"),
    )
    return pl.concat([answered.drop("span_id"), unanswered.filter(pl.col("caller") != pl.col("callee"))])


def _answered(distinct: pl.LazyFrame) -> pl.LazyFrame:
    # A consumer runs after its producer has returned; there is no waiting to measure.
    children = distinct.filter((pl.col("parent_id") != "") & (pl.col("kind") != "Consumer"))
    return (
        children.join(parents(distinct), on=["trace_id", "parent_id"])
        .filter(pl.col("caller") != pl.col("service"))
        .select(
            "trace_id",
            pl.col("parent_id").alias("span_id"),
            "caller",
            pl.col("service").alias("callee"),
            pl.concat_str("caller", pl.lit(" -> "), "service", pl.lit(" "), "name").alias("part"),
            pl.col("parent_time").alias("time"),
            (pl.col("parent_ms") - pl.col("duration_ms")).clip(lower_bound=0.0).alias("ms"),
        )
    )


def blamed(parts: pl.LazyFrame, calls: pl.LazyFrame) -> pl.LazyFrame:
    """`parts` (of `traces.shifts`) with `stat` lowered where the other end of the edge is the better suspect."""
    ends = calls.select("part", "caller", "callee").unique()
    named = parts.join(ends, on="part").with_columns(
        peer=pl.when(pl.col("entity") == pl.col("caller")).then("callee").otherwise("caller")
    )
    at = ["entity", "bucket"]
    edges = named.group_by(*at, "peer").agg(pl.col("stat").mean().alias("edge"))
    count, total = pl.len().over(at), pl.col("edge").sum().over(at)
    others = edges.with_columns(
        # With no edge to anyone else nothing is known of this end.
        others=pl.when(count > 1).then((total - pl.col("edge")) / (count - 1)).otherwise(_UNKNOWN * pl.col("edge"))
    )
    opposite = others.select("bucket", entity="peer", peer="entity", opposite="others")
    mine = pl.col("others") + _LEAST
    share = mine / (mine + pl.col("opposite").fill_null(pl.col("others")) + _LEAST)
    shares = others.join(opposite, on=[*at, "peer"], how="left").select(
        *at, "peer", part_of_blame=(2 * share).clip(upper_bound=1.0)
    )
    return (
        named.join(shares, on=[*at, "peer"])
        .with_columns(stat=pl.col("stat") * pl.col("part_of_blame"))
        .drop("caller", "callee", "peer", "part_of_blame")
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals trace.edge_gap."""
    calls = gaps(spans(frames).cache()).cache()
    # Either end can lose the time, so both are accused; their other edges tell them apart.
    ends = pl.concat([calls.with_columns(pl.col(end).alias("entity")) for end in ("caller", "callee")])
    parts = blamed(shifts(ends.with_columns(side("entity").alias("entity_type"))), calls)
    sentence = pl.format(
        "Calls {} lose {} between client and server, usually {} ({} calls; {} of {} edges of {} slower)",
        "part", ms("value"), ms("baseline"), "n", "slower", "parts", "entity",
    )  # fmt: skip
    return episodes(calibrate(by_entity(parts, "trace.edge_gap", sentence), floor=_FLOOR), frames)


RULE = Rule(name="trace_edge_gap", family="trace", reads=("spans",), detect=detect)
