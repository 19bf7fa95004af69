"""GPUs that stop reporting.

Signal: gpu.absent on a GPU; telemetry.gap on a node, as context.
Condition: a GPU misses three of its sampling intervals while others of its node go on; when all GPUs of a
node fall silent at once it is a monitoring outage, or the node's, which other rules see.
Why it matters: a GPU that has left the bus or hangs writes no bad values, it writes none.
Source: DCGM's fields, https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html; that
they end when a GPU is lost is what exporters do, https://github.com/NVIDIA/dcgm-exporter
"""

from __future__ import annotations

import polars as pl

from correlate import gpu_series
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

MISSED = 3
"""Sampling intervals without a point before a series counts as absent."""

_MIN_SAMPLES = 10


def _silences(frames: Frames) -> pl.LazyFrame:
    """Gaps of more than MISSED intervals: `node, device, last, next, every`; next is null while it lasts."""
    # Exporters write a GPU's fields within the same second or so; a minute's first sample stands for all.
    beats = (
        gpu_series.points(frames)
        .filter(pl.col("node") != "")
        .select("node", "device", time=pl.col("time").dt.truncate("5s"))
        .unique()
        .sort("device", "time")
    )
    timed = beats.with_columns(
        next=pl.col("time").shift(-1).over("device"),
        every=pl.col("time").diff().over("device").rolling_quantile(0.5, window_size=20, min_samples=5).over("device"),
        nth=pl.col("time").cum_count().over("device"),
    ).filter(pl.col("nth") >= _MIN_SAMPLES, pl.col("every").is_not_null())
    every = pl.max_horizontal("every", pl.duration(seconds=10))
    until = pl.coalesce("next", frames.end)
    return (
        timed.with_columns(every=every)
        .filter(until - pl.col("time") > MISSED * pl.col("every") + pl.duration(seconds=5))
        .select("node", "device", "next", "every", last="time")
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """GPUs found missing in the window; onset is their last sample."""
    silences = _silences(frames).with_columns(noticed=pl.col("last") + MISSED * pl.col("every"))
    alive = gpu_series.points(frames).select("node", other="device", time=pl.col("time").dt.truncate("5s")).unique()
    beside = (
        silences.join(alive, on="node")
        .filter(
            pl.col("other") != pl.col("device"),
            pl.col("time") > pl.col("last") + pl.col("every") * 1.5,
            pl.col("time") <= pl.col("noticed"),
        )
        .group_by("device", "last")
        .agg(pl.col("other").n_unique().alias("others"))
    )
    elsewhere = alive.group_by("node").agg(pl.col("other").n_unique().alias("gpus"))
    judged = (
        silences.join(beside, on=["device", "last"], how="left")
        .join(elsewhere, on="node")
        .with_columns(pl.col("others").fill_null(0))
    )
    still = pl.coalesce(pl.col("next"), frames.end - pl.duration(nanoseconds=1)).cast(TIME)
    alone = judged.filter(pl.col("others") > 0).select(
        time=pl.max_horizontal("noticed", still),
        onset="last",
        kind=pl.lit("gpu.absent"),
        entity_type=pl.lit("gpu"),
        entity="device",
        score=pl.lit(8.5),
        direction=pl.lit(-1),
        explanation=pl.format("{} stopped reporting; {} other GPUs of {} go on", "device", "others", "node"),
        evidence=evidence_of(node="node", others="others"),
    )
    outage = (
        judged.filter(pl.col("others") == 0, pl.col("gpus") > 1)
        .group_by("node", pl.col("last").dt.truncate("60s").alias("minute"))
        .agg(
            pl.col("last").min(),
            pl.col("noticed").max(),
            still.max().alias("still"),
            pl.col("device").n_unique().alias("silent"),
        )
        .select(
            time=pl.max_horizontal("noticed", "still"),
            onset="last",
            kind=pl.lit("telemetry.gap"),
            entity_type=pl.lit("node"),
            entity="node",
            score=pl.lit(3.0),
            direction=pl.lit(-1),
            explanation=pl.format("no GPU metrics from {}: its exporter or the node is down", "node"),
            evidence=evidence_of(silent="silent"),
        )
    )
    return pl.concat([sessions(alone, frames), sessions(outage, frames)])


RULE = Rule("gpu_absent", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
