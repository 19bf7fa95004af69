"""A service takes longer itself.

Signal: trace.self_time on a service, or on one of its pods that stands out against the others.
Condition: time spans spend outside their child spans is far above its own past, per operation, in log space.
Why it matters: processor, disk, lock or GPU contention and slow code show here, and a slow callee does
not, because the time spent waiting for it is taken away.
Source: https://www.jaegertracing.io/docs/latest/spm/ and https://opentelemetry.io/docs/concepts/signals/traces/
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import calibrate, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.templates import ms
from correlate.traces import by_entity, parents, peer_service, shifts, spans, standing_out

_FLOOR = 1.0


def self_times(distinct: pl.LazyFrame) -> pl.LazyFrame:
    """One row per span that does not just wait for another service: service, pod, part, time, trace_id, ms."""
    start = pl.max_horizontal("time", "parent_time")
    end = pl.min_horizontal(_end("time", "duration_ms"), _end("parent_time", "parent_ms"))
    inside = distinct.join(parents(distinct), on=["trace_id", "parent_id"]).select(
        "trace_id",
        pl.col("parent_id").alias("span_id"),
        start.alias("from"),
        end.alias("to"),
        (pl.col("caller") != pl.col("service")).alias("remote"),
    )
    length = (pl.col("to") - pl.col("from")).dt.total_nanoseconds().clip(lower_bound=0) / 1e6
    reach = (pl.col("to").max() - pl.col("from").min()).dt.total_nanoseconds().clip(lower_bound=0) / 1e6
    # Children in parallel cover no more than from the first one's start to the last one's end.
    children = inside.group_by("trace_id", "span_id").agg(
        pl.min_horizontal(length.sum(), reach).alias("covered"), pl.col("remote").any()
    )
    waiting = (pl.col("kind") == "Client") & peer_service().is_not_null()
    own = pl.col("duration_ms") - pl.col("covered").fill_null(0.0)
    return (
        distinct.join(children, on=["trace_id", "span_id"], how="left")
        # Waiting for another service is judged by the rule of edges.
        .filter(~pl.col("remote").fill_null(False) & ~waiting)
        .select("service", "pod", "trace_id", "time", part="name", ms=own.clip(lower_bound=0.0))
    )


def _end(time: str, duration_ms: str) -> pl.Expr:
    return pl.col(time) + pl.duration(nanoseconds=(pl.col(duration_ms) * 1e6).round().cast(pl.Int64))


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals trace.self_time."""
    times = self_times(spans(frames).cache()).cache()
    replicated = pl.col("pod").n_unique().over("service") > 1
    sentence = pl.format(
        "{} takes {} by itself in {}, usually {} ({} spans; {} of {} operations slower)",
        "entity", ms("value"), "part", ms("baseline"), "n", "slower", "parts",
    )  # fmt: skip

    def evidence(entity_type: str, rows: pl.LazyFrame) -> pl.LazyFrame:
        named = rows.with_columns(pl.lit(entity_type).alias("entity_type"), pl.col(entity_type).alias("entity"))
        return calibrate(by_entity(shifts(named), "trace.self_time", sentence), floor=_FLOOR)

    pods = standing_out(evidence("pod", times.filter(replicated & (pl.col("pod") != ""))), times)
    return episodes(pl.concat([evidence("service", times), pods]), frames)


RULE = Rule(name="trace_self_time", family="trace", reads=("spans",), detect=detect)
