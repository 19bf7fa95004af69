"""The rank that stopped taking part.

Signal: train.bad_rank on a GPU and on its pod.
Condition: of a job with four GPUs or more, at most a quarter are idle for a minute while the rest spin at
full utilisation, and the job's power is well below what it was.
Why it matters: while a collective waits, every waiting GPU spins without doing tensor work; the one that never
entered it is idle. No line is logged until a timeout ten minutes later.
Source: https://docs.nvidia.com/datacenter/dcgm/latest/user-guide/feature-overview.html (what utilisation counts)
"""

from __future__ import annotations

import polars as pl

from correlate import gpu_series, names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_BUCKET = "30s"
_MIN_GPUS = 4
_SPINNING, _IDLE = 90.0, 10.0
# Share of a job's GPUs that may be idle before it is an end of job and not an odd rank.
_MINORITY = 0.26
_SUSTAINED = 2
# Power while spinning is well under power while training.
_POWER_FALL = 0.6


def _samples(frames: Frames) -> pl.LazyFrame:
    """`job, node, pod, device, bucket, util, power`, for GPUs held by jobs; the last holder counts."""
    used = pl.concat(
        [
            gpu_series.points(frames, metrics).select(
                "workload", "workload_kind", "node", "pod", "device", "time", what=pl.lit(what), value="value",
            )
            for what, metrics in (("util", gpu_series.UTILISATION), ("power", gpu_series.POWER))
        ]
    )  # fmt: skip
    job = pl.when(pl.col("workload_kind") == "Job").then("workload").otherwise(names.owner("pod"))
    return (
        used.filter(pl.col("pod") != "", (pl.col("workload_kind") == "Job") | (names.owner_type("pod") == "job"))
        .with_columns(job=job, bucket=pl.col("time").dt.truncate(_BUCKET))
        .group_by("job", "node", "pod", "device", "bucket")
        .agg(
            pl.col("value").filter(pl.col("what") == "util").mean().alias("util"),
            pl.col("value").filter(pl.col("what") == "power").mean().alias("power"),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Idle GPUs (and their pods) of a job whose other GPUs wait for them, seen in the window."""
    samples = _samples(frames)
    usual = samples.sort("job", "bucket").group_by("job", "bucket").agg(pl.col("power").median().alias("job_power"))
    usual = usual.sort("job", "bucket").with_columns(
        past_power=pl.col("job_power").shift(1).rolling_quantile(0.5, window_size=60, min_samples=5).over("job")
    )
    group = ("job", "bucket")
    busy = (pl.col("util") >= _SPINNING).sum().over(group)
    idle = (pl.col("util") <= _IDLE).sum().over(group)
    gpus = pl.len().over(group)
    # A new power level becomes usual in half an hour: a hang must have begun within that.
    fell = (
        pl.col("job_power").is_null()
        | pl.col("past_power").is_null()
        | (pl.col("job_power") <= _POWER_FALL * pl.col("past_power"))
    )
    odd_one = (
        (pl.col("gpus") >= _MIN_GPUS)
        & (pl.col("util") <= _IDLE)
        & (pl.col("busy") + pl.col("idle") >= 0.9 * pl.col("gpus"))
        & (pl.col("idle") / pl.col("gpus") <= _MINORITY)
    )
    streak = pl.col("odd").cast(pl.Int64).rolling_sum(_SUSTAINED, min_samples=_SUSTAINED).over("job", "device")
    odd = (
        samples.join(usual, on=["job", "bucket"])
        .with_columns(gpus=gpus, idle=idle, busy=busy)
        .with_columns(odd=odd_one & fell)
        .sort("device", "bucket")
        .with_columns(streak=streak)
        .filter(pl.col("streak") == _SUSTAINED)
    )
    width = pl.duration(seconds=30)
    parts = [
        odd.select(
            time=pl.col("bucket") + width - pl.duration(nanoseconds=1),
            onset=pl.col("bucket") - width * (_SUSTAINED - 1),
            kind=pl.lit("train.bad_rank"),
            entity_type=pl.lit(kind),
            entity=column,
            score=pl.lit(score),
            direction=pl.lit(-1),
            value="util",
            baseline=pl.lit(100.0),
            explanation=pl.format(
                "{} of {} is idle while the job's other {} GPUs wait in a collective",
                "device",
                "pod",
                pl.col("gpus") - pl.col("idle"),
            ),
            evidence=evidence_of(job="job", pod="pod", node="node", device="device"),
        )
        for kind, column, score in (("gpu", "device", 8.5), ("pod", "pod", 9.0))
    ]
    return sessions(pl.concat(parts), frames)


RULE = Rule("odd_rank", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
