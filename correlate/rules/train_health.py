"""Training that slows down or stops learning.

Signal: train.slow or train.numerics on a job or workload.
Condition: for four minutes, steps take a quarter longer than they used to, or throughput or utilisation of the model's
FLOPs is a fifth lower; for two minutes, the loss or the norm of the gradients is five times its usual; or an iteration
was skipped for not being a number.
Why it matters: one slow GPU, link or disk slows every rank, without an error anywhere; a loss that jumps is what silent
data corruption and bad data look like from outside.
Source: four minutes of continuity, https://arxiv.org/abs/2411.01791 (Minder); five times the usual loss or gradient,
https://arxiv.org/abs/2509.16293 (ByteRobust)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.identity import job_or_workload
from correlate.rule import Rule
from correlate.series_values import values
from correlate.sessions import evidence_of, sessions
from correlate.usual import against_past

STEP_TIME = (
    r"(?i)^(?:train(?:ing)?|trainer|megatron|lightning)[/._:].*(?:step|iteration)_?(?:time|duration)"
    r"|(?:^|[/._:])(?:time_per_(?:step|iteration)|elapsed_time_per_iteration|iteration_time)"
)
THROUGHPUT = (
    r"(?i)^(?:train(?:ing)?|trainer|megatron|lightning)[/._:].*(?:per_(?:second|sec)|throughput|mfu|tflops)"
    r"|(?:^|[/._:])(?:mfu|model_flops_utilization)$"
)
DIVERGING = r"(?i)(?:^|[/._:])(?:train(?:ing)?_?)?(?:loss|grad(?:ient)?_?norm)$"
BROKEN = r"(?i)(?:nan|skipped|overflow)_?(?:iterations?|steps?)(?:_total)?$"
_VALIDATION = r"(?i)val|eval|test"
_SUSTAINED, _JUMP_SUSTAINED = 4, 2
_LONGER, _LOWER, _JUMP = 1.25, 0.8, 5.0
_SPREADS = 4.0
_BUCKET = "60s"
_MEANINGS = (("step", STEP_TIME), ("throughput", THROUGHPUT), ("jump", DIVERGING), ("broken", BROKEN))
_WORDS = {
    "step": "steps take longer",
    "throughput": "throughput fell",
    "jump": "the loss or its gradient jumped",
    "broken": "iterations are not numbers",
}


def _series(frames: Frames) -> pl.LazyFrame:
    what = pl.lit("")
    for name, pattern in _MEANINGS:
        fits = pl.col("metric").str.contains(pattern)
        what = pl.when(fits & (what == "")).then(pl.lit(name)).otherwise(what)
    owner_type, owner = job_or_workload()
    return (
        frames["metric_series"]
        .with_columns(what=what, owner_type=owner_type, owner=owner)
        .filter(pl.col("what") != "", ~pl.col("metric").str.contains(_VALIDATION), pl.col("owner") != "")
    )


def _judged(frames: Frames) -> pl.LazyFrame:
    series = _series(frames)
    keys = ("owner_type", "owner", "metric", "what")
    rows = (
        values(frames, series, _BUCKET)
        .join(series.select("series", *keys), on="series")
        .group_by(*keys, "bucket")
        .agg(pl.col("value").median(), pl.col("time").max())
    )
    # Slowness must last four minutes, a jump two.
    slow = against_past(rows.filter(pl.col("what").is_in(["step", "throughput"])), keys, now=_SUSTAINED, lag=6)
    rest = against_past(rows.filter(~pl.col("what").is_in(["step", "throughput"])), keys, now=_JUMP_SUSTAINED, lag=4)
    return pl.concat([slow, rest])


def detect(frames: Frames) -> pl.LazyFrame:
    """Slow or broken training seen in the window; onset is the first of the minutes that count."""
    usual, spread = pl.col("usual"), pl.col("spread")
    what = pl.col("what")
    beyond = (pl.col("value") - usual).abs() >= _SPREADS * spread
    bad = (
        pl.when(what == "step")
        .then((pl.col("least_now") >= _LONGER * usual) & beyond)
        .when(what == "throughput")
        .then((pl.col("most_now") <= _LOWER * usual) & (pl.col("most_now") > 0) & beyond)
        .when(what == "jump")
        .then((pl.col("least_now") >= _JUMP * usual) & (usual > 0) & beyond)
        .otherwise((pl.col("value") > 0) & (usual == 0))
    )
    slow = what.is_in(["step", "throughput"])
    minutes = pl.when(slow).then(_SUSTAINED - 1).when(what == "jump").then(_JUMP_SUSTAINED - 1).otherwise(0)
    facts = (
        _judged(frames)
        .filter(bad.fill_null(value=False))
        .select(
            "time",
            onset=pl.col("bucket") - pl.duration(minutes=minutes),
            kind=pl.when(slow).then(pl.lit("train.slow")).otherwise(pl.lit("train.numerics")),
            entity_type="owner_type",
            entity="owner",
            score=pl.when(slow).then(5.0).otherwise(6.0),
            direction=pl.when(what == "throughput").then(-1).otherwise(1),
            value="value",
            baseline="usual",
            explanation=pl.format(
                "{}: {} ({} {}, usually {})",
                "owner", what.replace_strict(_WORDS), "metric", pl.col("value").round(3), usual.round(3),
            ),
            evidence=evidence_of(metric="metric"),
        )
    )  # fmt: skip
    return sessions(facts, frames)


RULE = Rule(
    "train_health",
    "metric",
    ("metric_series", "metric_points", "histogram_points"),
    detect,
    "|".join(f"(?:{pattern})" for _, pattern in _MEANINGS),
)
