"""From single facts (a kernel line, an event, a counter's step) to signals: repeats become one row.

A fact is a row with `FACT` columns. Facts of one kind and entity no further apart than `gap_s` are one
session; it is reported whenever something of it was seen inside the window, always with the same onset.
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.signals import SIGNAL, TIME

FACT: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "entity_type": pl.String(),
    "entity": pl.String(),
    # When it was observed, and when the thing itself began.
    "time": TIME,
    "onset": TIME,
    "score": pl.Float64(),
    "direction": pl.Int8(),
    "value": pl.Float64(),
    "baseline": pl.Float64(),
    "explanation": pl.String(),
    "evidence": pl.String(),
}
"""Columns a rule hands over; those it leaves out are filled (onset with time, numbers with null)."""

_KEYS = ("kind", "entity_type", "entity")
_DEFAULTS: dict[str, pl.Expr] = {
    "onset": pl.col("time"),
    "direction": pl.lit(0),
    "value": pl.lit(None),
    "baseline": pl.lit(None),
    "evidence": pl.lit(""),
}


def severity(score: pl.Expr) -> pl.Expr:
    """Severity word of a discrete fact's score."""
    return (
        pl.when(score >= 9.0)
        .then(pl.lit("critical"))
        .when(score >= 7.0)
        .then(pl.lit("high"))
        .when(score >= 5.0)
        .then(pl.lit("medium"))
        .otherwise(pl.lit("low"))
    )


def evidence_of(**columns: str | pl.Expr) -> pl.Expr:
    """JSON text of the named columns, for a fact's `evidence`."""
    fields = [(pl.col(value) if isinstance(value, str) else value).alias(name) for name, value in columns.items()]
    return pl.struct(fields).struct.json_encode()


def as_facts(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`rows` with exactly the FACT columns."""
    have = set(rows.collect_schema().names())
    filled = rows.with_columns(**{name: expr for name, expr in _DEFAULTS.items() if name not in have})
    return filled.select(*FACT).cast(pl.Schema(FACT))


def sessions(rows: pl.LazyFrame, frames: Frames, *, gap_s: float = 600.0) -> pl.LazyFrame:
    """Signals (`SIGNAL`), one per session of facts; score is the strongest fact's, words are the first such fact's.

    Facts after the window's end are ignored. `seen` and `until` are the session's last observation.
    """
    facts = (
        as_facts(rows)
        .filter(pl.col("entity") != "", pl.col("time") < frames.end)
        .sort(*_KEYS, "time", "explanation", "evidence")
    )
    apart = pl.col("time").diff() > pl.duration(microseconds=round(gap_s * 1e6))
    told = pl.col("score") == pl.col("score").max()
    found = (
        facts.with_columns(apart.fill_null(value=True).cum_sum().over(_KEYS).alias("_session"))
        .group_by(*_KEYS, "_session")
        .agg(
            pl.col("onset").min(),
            pl.col("time").max().alias("until"),
            pl.col("score").max(),
            *(
                pl.col(name).filter(told).first()
                for name in ("direction", "value", "baseline", "explanation", "evidence")
            ),
            pl.len().alias("_times"),
        )
    )
    words = (
        pl.when(pl.col("_times") > 1).then(pl.format("{} ({} times)", "explanation", "_times")).otherwise("explanation")
    )
    return (
        found.with_columns(seen="until", severity=severity(pl.col("score")), explanation=words)
        .filter(pl.col("seen").is_between(frames.start, frames.end, closed="left"))
        .select(*SIGNAL)
        .cast(pl.Schema(SIGNAL))
    )
