"""Requests fail more often than they used to.

Signal: trace.errors on a service, on one of its pods that stands out, and on a service whose callers
fail to reach it (it may have no spans of its own to say so).
Condition: the share of failed spans of an operation is far above its own past, by the signed root of the
likelihood ratio of two binomial samples; at least two failures.
Why it matters: failed requests are what users see. The failing service is accused together with what it
calls, because a dead callee leaves no span.
Source: https://opentelemetry.io/docs/specs/semconv/general/recording-errors/
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, bucket_of, calibrate, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.traces import spans, standing_out

_MIN_FAILURES = 2
# An operation without a past is compared with the entity's past, as if it had been seen this often.
_PRIOR = 10.0
_FLOOR = 1.0
_EXEMPLARS = 3
_KEYS = ["entity_type", "entity"]
_PART = [*_KEYS, "part"]


def requests(distinct: pl.LazyFrame) -> pl.LazyFrame:
    """One row per span: service, pod, part, time, trace_id, error, error_type, peer, answered."""
    children = distinct.filter(pl.col("parent_id") != "").select("trace_id", pl.col("parent_id").alias("span_id")).unique()
    return distinct.join(children.with_columns(pl.lit(True).alias("answered")), on=["trace_id", "span_id"], how="left").select(
        "service", "pod", pl.col("name").alias("part"), "time", "trace_id", "kind", "error", "error_type", "peer",
        pl.col("answered").fill_null(False),
    )  # fmt: skip


def unreached(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Client spans by the service they went to, failed when nothing on the other side answered."""
    host = pl.col("peer").str.extract(r"^([A-Za-z][A-Za-z0-9_-]*)(?:[.:]|$)")
    return (
        rows.filter((pl.col("kind") == "Client") & host.is_not_null())
        .with_columns(host.alias("callee"), pl.format("calls from {}", "service").alias("part"))
        .with_columns((pl.col("error") & ~pl.col("answered")).alias("error"))
        .drop("service")
        .rename({"callee": "service"})
    )


def failing(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Calibrated evidence per entity and bucket: its operation that fails most beyond its past."""
    parts = (
        rows.sort("time", "trace_id")
        .group_by(*_PART, bucket_of().alias("bucket"))
        .agg(
            pl.col("error").sum().cast(pl.Float64).alias("x"),
            pl.len().cast(pl.Float64).alias("n"),
            pl.col("time").filter("error").min().alias("first"),
            pl.col("trace_id").filter("error").head(_EXEMPLARS).alias("traces"),
            pl.col("error_type").filter("error").drop_nulls().first().fill_null("").alias("reason"),
        )
        .sort(*_PART, "bucket")
    )
    total = parts.group_by(*_KEYS, "bucket").agg(pl.col("x", "n").sum()).sort(*_KEYS, "bucket")
    past = total.select(*_KEYS, "bucket", (_before("x", _KEYS) / _before("n", _KEYS).clip(lower_bound=1.0)).alias("usual"))
    # A failure share of nothing seen is not zero: one in a few hundred is what nobody counts.
    prior = pl.col("usual").fill_nan(0.0).clip(lower_bound=0.002)
    compared = parts.join(past, on=[*_KEYS, "bucket"]).with_columns(
        (_before("x", _PART) + _PRIOR * prior).alias("X"), (_before("n", _PART) + _PRIOR).alias("N")
    )
    oddest = (
        compared.with_columns(_root().alias("stat"), (pl.col("x") / pl.col("n")).alias("value"), (pl.col("X") / pl.col("N")).alias("baseline"))
        .sort("stat", "part", descending=[True, False])
        .group_by(*_KEYS, "bucket")
        .agg(pl.col("stat", "part", "x", "n", "value", "baseline", "traces", "reason", "first").first())
    )
    return calibrate(told(oddest), floor=_FLOOR)


def _before(column: str, keys: list[str]) -> pl.Expr:
    return pl.col(column).cum_sum().shift(1).over(keys).fill_null(0.0)


def _root() -> pl.Expr:
    """Signed root of the likelihood ratio of x of n now against X of N before; 0 below two failures."""

    def deviance(x: pl.Expr, n: pl.Expr) -> pl.Expr:
        return _xlogx(x) + _xlogx(n - x) - _xlogx(n)

    x, n, past_x, past_n = (pl.col(name) for name in ("x", "n", "X", "N"))
    ratio = 2 * (deviance(x, n) + deviance(past_x, past_n) - deviance(x + past_x, n + past_n))
    rising = (x / n > past_x / past_n) & (x >= _MIN_FAILURES)
    return pl.when(rising).then(ratio.clip(lower_bound=0.0).sqrt()).otherwise(0.0)


def _xlogx(value: pl.Expr) -> pl.Expr:
    return pl.when(value > 0).then(value * value.log()).otherwise(0.0)


def told(oddest: pl.LazyFrame) -> pl.LazyFrame:
    """The same in words."""
    reason = pl.when(pl.col("reason") != "").then(pl.format(" ({})", pl.col("reason").str.slice(0, 60))).otherwise(pl.lit(""))
    sentence = pl.format(
        "{} of {} requests '{}' of {} fail{}, before {}%",
        pl.col("x").cast(pl.Int64), pl.col("n").cast(pl.Int64), "part", "entity", reason,
        (pl.col("baseline") * 100).round(1),
    )  # fmt: skip
    return oddest.with_columns(
        pl.lit("trace.errors").alias("kind"),
        pl.lit(1, pl.Int8).alias("direction"),
        sentence.alias("explanation"),
        pl.struct("part", "reason", "traces").struct.json_encode().alias("evidence"),
    ).select(*EVIDENCE, "first")


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals trace.errors."""
    rows = requests(spans(frames))

    def named(entity_type: str, some: pl.LazyFrame) -> pl.LazyFrame:
        column = "pod" if entity_type == "pod" else "service"
        return some.with_columns(pl.lit(entity_type).alias("entity_type"), pl.col(column).alias("entity"))

    both = pl.concat([named("service", rows), named("service", unreached(rows))], how="diagonal")
    replicated = (pl.col("pod") != "") & (pl.col("pod").n_unique().over("service") > 1)
    pods = standing_out(failing(named("pod", rows.filter(replicated))), rows)
    return episodes(pl.concat([failing(both), pods], how="diagonal"), frames)


RULE = Rule(name="trace_errors", family="trace", reads=("spans",), detect=detect)
