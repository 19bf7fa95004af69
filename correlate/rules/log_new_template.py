"""A kind of warning or error that was never logged before.

Signal: log.new_template on a service, or on a pod where logs name no service.
Condition: a line at WARN or above whose template the entity has not logged before, from an entity that
has been logging for at least five minutes; a template counts as new for five minutes.
Why it matters: new failure wording is specific where a count is not, and one line can be enough.
Source: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, bucket_of, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.templates import ERROR, FATAL, WARN, level, message, readable, template

# How long a template is new, and how long an entity must have been logging before anything can be.
_NEW_NS = 300_000_000_000
_MIN_LINES = 10
_SAMPLES = 3
_ENTITY = ["entity_type", "entity"]


def lines(frames: Frames) -> pl.LazyFrame:
    """Log lines of services and of pods without one, each once, with level and template."""
    named = pl.col("service") != ""
    return (
        frames["logs"]
        .filter(named | (pl.col("pod") != ""))
        .unique(subset=["service", "pod", "container", "trace_id", "span_id", "time", "body"], keep="any")
        .select(
            pl.when(named).then(pl.lit("service")).otherwise(pl.lit("pod")).alias("entity_type"),
            pl.when(named).then("service").otherwise("pod").alias("entity"),
            "time",
            "trace_id",
            "body",
            level().alias("level"),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals log.new_template."""
    rows = lines(frames)
    known = rows.sort("time", "body").with_columns(
        pl.col("time").first().over(_ENTITY).alias("began"), pl.int_range(pl.len()).over(_ENTITY).alias("earlier")
    )
    bad = known.filter(pl.col("level") >= WARN).with_columns(template().alias("text"))
    born = [*_ENTITY, "text"]
    fresh = bad.with_columns(
        pl.col("time").first().over(born).alias("born"), pl.col("earlier").first().over(born).alias("before")
    ).filter(
        (pl.col("time") - pl.col("born") < pl.duration(nanoseconds=_NEW_NS))
        & (pl.col("born") - pl.col("began") >= pl.duration(nanoseconds=_NEW_NS))
        & (pl.col("before") >= _MIN_LINES)
    )
    return episodes(told(fresh), frames)


def told(fresh: pl.LazyFrame) -> pl.LazyFrame:
    """Evidence per entity and bucket from lines whose template is new."""
    strength = pl.when(pl.col("level") >= FATAL).then(4.5).when(pl.col("level") >= ERROR).then(3.0).otherwise(1.5)
    templates = (
        fresh.sort("time", "body")
        .group_by(*_ENTITY, "text", bucket_of().alias("bucket"))
        .agg(
            (strength.max() * (1 + pl.len().log())).alias("stat"),
            pl.len().cast(pl.Float64).alias("value"),
            pl.col("time").min().alias("first"),
            message().head(_SAMPLES).str.slice(0, 200).alias("samples"),
            pl.col("trace_id").filter(pl.col("trace_id") != "").head(_SAMPLES).alias("traces"),
        )
    )
    sentence = pl.format(
        "{} logged '{}' {} times in 30 s and never before",
        "entity", readable(pl.col("samples").list.first(), 120), pl.col("value").cast(pl.Int64),
    )  # fmt: skip
    return (
        templates.sort("stat", "text", descending=[True, False])
        .group_by(*_ENTITY, "bucket")
        .agg(pl.col("stat", "value", "samples", "traces", "text").first(), pl.col("first").min())
        .with_columns(
            pl.lit("log.new_template").alias("kind"),
            pl.lit(0.0).alias("baseline"),
            pl.lit(1, pl.Int8).alias("direction"),
            sentence.alias("explanation"),
            pl.struct("text", "samples", "traces").struct.json_encode().alias("evidence"),
        )
        .select(*EVIDENCE, "first")
    )


RULE = Rule(name="log_new_template", family="log", reads=("logs",), detect=detect)
