"""Requests fail more often than they used to.

Signal: trace.errors on a service, on one of its pods that stands out, and on a service whose callers
fail to reach it (it may have no spans of its own to say so).
Condition: the share of failed spans, of an operation or of all of them, is far above its own past by a
likelihood-ratio test; at least two failures in a minute.
Why it matters: failed requests are what users see. The failing service is accused together with what it
calls, because a dead callee leaves no span.
Source: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, above_calm, bucket_of, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.traces import peer_service, side, spans, standing_out
from correlate.transitions import KEYS, divergence

_MIN_FAILURES = 2.0
_FLOOR = 1.0
# The two outcomes of a request.
_OK, _FAILED = 0, 1
_ALL = "all requests"


def requests(distinct: pl.LazyFrame) -> pl.LazyFrame:
    """One row per span: service, pod, part, time, trace_id, kind, error, error_type, peer, answered."""
    inner = distinct.select("trace_id", span_id="parent_id", callee="service").filter(pl.col("span_id") != "")
    remote = distinct.join(inner, on=["trace_id", "span_id"]).filter(pl.col("callee") != pl.col("service"))
    answered = remote.select("trace_id", "span_id").unique().with_columns(answered=pl.lit(True))
    return distinct.join(answered, on=["trace_id", "span_id"], how="left").select(
        "service", "pod", "time", "trace_id", "kind", "error", "error_type", "peer",
        pl.col("name").alias("part"), pl.col("answered").fill_null(False),
    )  # fmt: skip


def unreached(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Client spans by the service they went to, failed when nothing on the other side answered."""
    calls = rows.filter((pl.col("kind") == "Client") & peer_service().is_not_null())
    return calls.with_columns(
        pl.format("calls from {}", "service").alias("part"),
        (pl.col("error") & ~pl.col("answered")).alias("error"),
        peer_service().alias("service"),
    )


def failing(rows: pl.LazyFrame, entity_type: str) -> pl.LazyFrame:
    """Evidence per entity and bucket: the operation that fails most beyond its past, or all together."""
    column = "pod" if entity_type == "pod" else "service"
    named = rows.with_columns(entity_type=pl.lit("pod") if entity_type == "pod" else side("service"), entity=column)
    # An operation that is only called when something fails has no past; its entity has.
    parts = pl.concat([named, named.with_columns(part=pl.lit(_ALL))]).with_columns(
        state=pl.concat_str("entity", "part", separator="\x1f").hash()
    )
    outcomes = parts.select(
        *KEYS, "part", "time", "trace_id", "error_type", bad="error",
        next=pl.when("error").then(pl.lit(_FAILED, pl.UInt64)).otherwise(pl.lit(_OK, pl.UInt64)),
    ).cache()  # fmt: skip
    judged = above_calm(divergence(outcomes.drop("part", "error_type")), floor=_FLOOR, by=KEYS)
    worse = judged.filter((pl.col("gained") == _FAILED) & (pl.col("share") * pl.col("seen") >= _MIN_FAILURES - 1e-6))
    reasons = (
        outcomes.filter("bad")
        .sort("time", "trace_id")
        .group_by(*KEYS, bucket_of().alias("bucket"))
        .agg(pl.col("part", "error_type").first())
    )
    # The single operation says more than the sum; a tie is told by the operation.
    oddest = (
        worse.join(reasons, on=[*KEYS, "bucket"])
        .with_columns(general=pl.col("part") == _ALL)
        .sort("stat", "general", "part", descending=[True, False, False])
        .group_by("entity_type", "entity", "bucket")
        .agg(pl.all().first())
    )
    return told(oddest)


def told(oddest: pl.LazyFrame) -> pl.LazyFrame:
    """The same in words."""
    why = pl.format(" ({})", pl.col("error_type").str.slice(0, 60))
    sentence = pl.format(
        "{} of {} '{}' of {} fail{}, before {}%",
        (pl.col("share") * pl.col("seen")).round(0).cast(pl.Int64), pl.col("seen").round(0).cast(pl.Int64), "part",
        "entity", pl.when(pl.col("error_type") != "").then(why).otherwise(pl.lit("")),
        (pl.col("past_share") * 100).round(1),
    )  # fmt: skip
    return oddest.with_columns(
        pl.lit("trace.errors").alias("kind"),
        pl.lit(1, pl.Int8).alias("direction"),
        pl.col("share").alias("value"),
        pl.col("past_share").alias("baseline"),
        sentence.alias("explanation"),
        pl.struct("part", "error_type", "traces").struct.json_encode().alias("evidence"),
    ).select(*EVIDENCE, "first")


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals trace.errors."""
    rows = requests(spans(frames).cache()).cache()
    services = failing(pl.concat([rows, unreached(rows).select(rows.collect_schema().names())]), "service")
    replicated = (pl.col("pod") != "") & (pl.col("pod").n_unique().over("service") > 1)
    pods = standing_out(failing(rows.filter(replicated), "pod"), rows)
    return episodes(pl.concat([services, pods], how="diagonal"), frames)


RULE = Rule(name="trace_errors", family="trace", reads=("spans",), detect=detect)
