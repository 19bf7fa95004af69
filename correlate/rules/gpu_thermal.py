"""Heat that concerns a whole node.

Signal: node.thermal on a node.
Condition: in one minute heat slows down at least two of a node's GPUs and at least half of them. The
onset is earlier: where, in the twenty minutes before, temperatures rose 4 degrees C above the node's usual.
Why it matters: most GPUs slowing down together is cooling or air flow, not one GPU's paste; the slow-down is
the proof, the warm-up is when it began.
Source: clock event reasons, https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html
"""

from __future__ import annotations

import polars as pl

from correlate import gpu_series
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules.gpu_metrics import readings
from correlate.sessions import evidence_of, sessions

_BUCKET = "60s"
_MIN_GPUS = 2
_MIN_SHARE = 0.5
# Warm-up looked for this long before the slow-down; usual temperatures come from before that.
_WARMING_S = 1200
_RISE_C = 4.0
# A GPU that cools back to its usual range for this long has ended its warm-up.
_SLACK_S = 120


def held_back(frames: Frames, kind: str) -> pl.LazyFrame:
    """Per node and minute: how many GPUs heat (gpu.thermal) or the brake (gpu.power) holds back, of how many."""
    size = gpu_series.devices(frames).group_by("node").agg(pl.col("device").n_unique().alias("gpus"))
    return (
        readings(frames)
        .filter(pl.col("kind") == kind, pl.col("node") != "")
        .with_columns(bucket=pl.col("time").dt.truncate(_BUCKET))
        .group_by("node", "bucket")
        .agg(
            pl.col("device").n_unique().alias("slow"),
            pl.col("time").max().alias("time"),
            pl.col("device").unique().sort().alias("devices"),
        )
        .join(size, on="node")
        .filter(pl.col("slow") >= _MIN_GPUS, pl.col("slow") / pl.col("gpus") >= _MIN_SHARE)
    )


def _warming(frames: Frames, slowed: pl.LazyFrame) -> pl.LazyFrame:
    """`node, start, warm`: since when the node had been warmer than usual at each start of slowness."""
    starts = (
        slowed.sort("node", "time")
        .with_columns(fresh=(pl.col("time").diff() > pl.duration(seconds=600)).fill_null(value=True).over("node"))
        .filter("fresh")
        .select("node", start="time")
    )
    temperature = (
        gpu_series.points(frames, gpu_series.TEMPERATURE)
        .group_by("node", pl.col("time").dt.truncate("30s"))
        .agg(pl.col("value").median().alias("celsius"))
    )
    near = starts.join(temperature, on="node").with_columns(
        before_s=(pl.col("start") - pl.col("time")).dt.total_seconds()
    )
    usual = (
        near.filter(pl.col("before_s") >= _WARMING_S)
        .group_by("node", "start")
        .agg(pl.col("celsius").median().alias("usual"))
    )
    hot = near.join(usual, on=["node", "start"]).filter(
        pl.col("before_s").is_between(0, _WARMING_S), pl.col("celsius") > pl.col("usual") + _RISE_C
    )
    # Going back in time, the warm-up ends where hot samples are further apart than the slack.
    runs = hot.sort("node", "start", "before_s").with_columns(
        broken=(pl.col("before_s").diff() > _SLACK_S)
        .fill_null(pl.col("before_s") > 2 * _SLACK_S)
        .cum_sum()
        .over("node", "start")
    )
    return runs.filter(pl.col("broken") == 0).group_by("node", "start").agg(pl.col("time").min().alias("warm"))


def detect(frames: Frames) -> pl.LazyFrame:
    """Nodes whose GPUs slowed down together, seen in the window."""
    slowed = held_back(frames, "gpu.thermal")
    warming = _warming(frames, slowed).sort("start")
    facts = (
        slowed.sort("time")
        .join_asof(
            warming,
            left_on="time",
            right_on="start",
            by="node",
            strategy="backward",
            tolerance="7200s",
            check_sortedness=False,
        )
        .select(
            "time",
            *told_of_node("node.thermal", "heat"),
            onset=pl.coalesce("warm", "time"),
        )
    )
    return sessions(facts, frames)


def told_of_node(kind: str, cause: str) -> list[pl.Expr]:
    """What is said of a node many of whose GPUs are held back by one cause (`held_back`)."""
    return [
        pl.lit(kind).alias("kind"),
        pl.lit("node").alias("entity_type"),
        pl.col("node").alias("entity"),
        (7.5 + 2.0 * pl.col("slow") / pl.col("gpus")).alias("score"),
        pl.lit(1).alias("direction"),
        pl.col("slow").cast(pl.Float64).alias("value"),
        pl.lit(0.0).alias("baseline"),
        pl.format(f"{{}} of {{}} GPUs of {{}} slowed down by {cause}", "slow", "gpus", "node").alias("explanation"),
        evidence_of(gpus="devices").alias("evidence"),
    ]


RULE = Rule("gpu_thermal", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
