"""Guardrails that block far more than usual.

Signal: security.guardrail_wave on a service, or on a model where only that is named.
Condition: for two minutes, the share of blocked or modified requests is three times its usual and ten points above it,
with ten blocks a minute or more. Decisions come from counters that carry one, and from guardrail spans.
Why it matters: a wave of injected prompts and a guardrail that misfires look alike from here, and both explain why
answers get shorter and scores fall while every machine is well. Single blocks are ordinary business.
Source: https://genai.owasp.org/llmrisk/llm01-prompt-injection/ and, for spans of guardrails,
https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.series_values import values
from correlate.sessions import evidence_of, sessions
from correlate.usual import against_past

METRIC = r"(?i)guard_?rail|moderation|content_?filter|prompt_?injection"
BLOCKED = r"(?i)block|den(?:y|ied)|reject|refus|intervene|modif|redact|flagged|triggered"
_LABELS = ("decision", "action", "verdict", "outcome", "result")
_BUCKET = "60s"
_FACTOR, _MORE, _MIN_BLOCKS = 3.0, 0.1, 10.0
_KEYS = ("entity_type", "entity")


def _about() -> list[pl.Expr]:
    service = pl.col("service") != ""
    return [
        pl.when(service).then(pl.lit("service")).otherwise(pl.lit("model")).alias("entity_type"),
        pl.when(service).then("service").otherwise("model").alias("entity"),
    ]


def _counted(frames: Frames) -> pl.LazyFrame:
    """`entity_type, entity, bucket, time, blocked, total` by counters with a decision."""
    label = pl.col("labels")
    decision = pl.coalesce(*(label.str.json_path_match(f"$.{name}").replace("", None) for name in _LABELS))
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").str.contains(METRIC), pl.col("type").is_in(["sum", "delta_sum"]))
        .with_columns(*_about(), decision=decision)
        .filter(pl.col("decision").is_not_null())
    )
    rates = values(frames, series, _BUCKET).join(series.select("series", "decision", *_KEYS), on="series")
    blocked = pl.col("value").filter(pl.col("decision").str.contains(BLOCKED)).sum()
    return rates.group_by(*_KEYS, "bucket").agg(
        (blocked * 60).alias("blocked"), (pl.col("value").sum() * 60).alias("total"), pl.col("time").max()
    )


def _spanned(frames: Frames) -> pl.LazyFrame:
    """The same by guardrail spans."""
    return (
        frames["gen_ai_calls"]
        .filter(pl.col("decision") != "")
        .with_columns(*_about())
        .group_by(*_KEYS, pl.col("time").dt.truncate(_BUCKET).alias("bucket"))
        .agg(
            (pl.col("decision") != "allow").sum().cast(pl.Float64).alias("blocked"),
            pl.len().cast(pl.Float64).alias("total"),
            pl.col("time").max(),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Waves seen in the window; onset is the first of the two minutes."""
    columns = (*_KEYS, "bucket", "time", "blocked", "total")
    sources = [part.select(*columns, source=pl.lit(n)) for n, part in enumerate((_counted(frames), _spanned(frames)))]
    rows = (
        pl.concat(sources)
        .filter(pl.col("entity") != "", pl.col("total") > 0)
        .with_columns(value=pl.col("blocked") / pl.col("total"))
    )
    waves = against_past(rows, ("source", *_KEYS)).filter(
        pl.col("least_now") >= _FACTOR * pl.col("usual"),
        pl.col("least_now") - pl.col("usual") >= _MORE,
        pl.col("blocked") >= _MIN_BLOCKS,
    )
    facts = waves.select(
        "time",
        *_KEYS,
        "value",
        onset=pl.col("bucket") - pl.duration(seconds=60),
        kind=pl.lit("security.guardrail_wave"),
        score=pl.min_horizontal(5.0 + 6.0 * (pl.col("value") - pl.col("usual")), pl.lit(8.0)),
        direction=pl.lit(1),
        baseline="usual",
        explanation=pl.format(
            "guardrails of {} stop {} % of requests (usually {} %)",
            "entity",
            (pl.col("value") * 100).round(0).cast(pl.Int64),
            (pl.col("usual") * 100).round(0).cast(pl.Int64),
        ),
        evidence=evidence_of(blocked=pl.col("blocked").round(0), total=pl.col("total").round(0)),
    )
    return sessions(facts, frames)


RULE = Rule("guardrail_wave", "quality", ("metric_series", "metric_points", "gen_ai_calls"), detect, METRIC)
