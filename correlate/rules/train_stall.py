"""Training that stops advancing.

Signal: train.stall on a job or workload.
Condition: a step counter stands still for more than three of its usual intervals and a minute, or falls silent
for as long. Silence alone may be a job that has finished, so it weighs less. The onset is the last step.
Why it matters: a hung job looks busy by every utilisation metric; its step counter does not.
Source: counters as trainers name them (global_step, train_steps, iterations), for example
https://docs.pytorch.org/docs/stable/tensorboard.html
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.identity import job_or_workload
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

STEPS = (
    r"(?i)(?:^|[/._:])(?:global_?step|train(?:ing)?_?steps?|iterations?|step_?(?:count|num)|num_steps|steps_completed)"
    r"(?:_total)?$"
)
PATIENCE = 3
"""Usual intervals between steps (as sampled) without one before it counts as a stall."""

_MIN_S = 60.0


def _progress(frames: Frames) -> pl.LazyFrame:
    kind, owner = job_or_workload()
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").str.contains(STEPS))
        .select("series", "metric", owner_type=kind, owner=owner)
    )
    rows = (
        frames["metric_points"]
        .join(series.filter(pl.col("owner") != ""), on="series")
        .sort("series", "time")
        # A series' first sample counts as progress: a restarted rank reports under a new name or from an earlier step.
        .with_columns(moved=(pl.col("value") != pl.col("value").shift(1).over("series")).fill_null(value=True))
        .sort("owner", "time", "series")
    )
    moved = rows.filter("moved").unique(subset=["owner", "time"], keep="last", maintain_order=True)
    usual = moved.with_columns(every=(pl.col("time").diff().dt.total_milliseconds() / 1000).over("owner")).select(
        "owner", "time", last="time", at="value",
        usual_s=pl.col("every").rolling_quantile(0.5, "linear", window_size=20, min_samples=3).over("owner"),
    )  # fmt: skip
    return rows.join(usual, on=["owner", "time"], how="left", maintain_order="left").with_columns(
        pl.col("last", "usual_s", "at").forward_fill().over("owner", order_by="time")
    )


def _limit() -> pl.Expr:
    return pl.max_horizontal(PATIENCE * pl.col("usual_s"), pl.lit(_MIN_S))


def detect(frames: Frames) -> pl.LazyFrame:
    """Stalls seen in the window; onset is the last step, which is when the waiting began."""
    rows = _progress(frames).filter(pl.col("usual_s").is_not_null())
    waited = (pl.col("time") - pl.col("last")).dt.total_milliseconds() / 1000
    standing = rows.with_columns(waited=waited).filter(pl.col("waited") > _limit())
    tail = rows.sort("owner", "time").with_columns(next=pl.col("time").shift(-1).over("owner"))
    ended = pl.coalesce("next", frames.end - pl.duration(nanoseconds=1))
    silent = tail.with_columns(
        waited=(ended - pl.col("last")).dt.total_milliseconds() / 1000,
        gone=(ended - pl.col("time")).dt.total_milliseconds() / 1000,
    )
    # Silence alone may be a job that has finished, so it weighs less than a counter that stands.
    silent = silent.filter(pl.col("gone") > _limit()).with_columns(time=ended)
    parts = [(standing, 7.0, "{} stands at step {} for {} s"), (silent, 4.5, "{} reports no steps after {} for {} s")]
    facts = [
        part.select(
            "time",
            onset="last",
            kind=pl.lit("train.stall"),
            entity_type="owner_type",
            entity="owner",
            score=pl.lit(score),
            direction=pl.lit(-1),
            value="waited",
            baseline="usual_s",
            explanation=pl.format(
                words, "owner", pl.col("at").cast(pl.Int64), pl.col("waited").round(0).cast(pl.Int64)
            ),
            evidence=evidence_of(metric="metric", step="at", usual_s="usual_s"),
        )
        for part, score, words in parts
    ]
    return sessions(pl.concat(facts), frames)


RULE = Rule("train_stall", "metric", ("metric_series", "metric_points"), detect, STEPS)
