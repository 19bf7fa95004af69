"""A pod that takes the CPU of its node.

Signal: pod.cpu_hog on a pod.
Condition: the pod uses two cores or more and 30 % or more of what the node's containers use, three times its
own trailing median (nothing, for a pod that has just arrived), while the node's sum is 1.4 times its own.
Why it matters: neighbours on the node slow down without any fault of theirs; what they share is the node, and
this names the pod on it.
Source: https://opentelemetry.io/docs/specs/semconv/system/container-metrics/ and
https://github.com/google/cadvisor/blob/master/docs/storage/prometheus.md
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

_GAUGES = ("container.cpu.usage", "k8s.container.cpu.usage")
_COUNTERS = ("container_cpu_usage_seconds_total", "container.cpu.time")
_BUCKET = "60s"
_MIN_CORES = 2.0
_SHARE, _GROWTH, _NODE_GROWTH = 0.3, 3.0, 1.4
_REFERENCE, _LAG = 60, 5


def _usage(frames: Frames) -> pl.LazyFrame:
    """`node, pod, bucket, time, cores`, with each pod on the node it was last seen on."""
    series = frames["metric_series"].filter(
        pl.col("metric").is_in([*_GAUGES, *_COUNTERS]), pl.col("pod") != "", pl.col("node") != ""
    )
    points = (
        frames["metric_points"]
        .join(series.select("series", "metric", "pod", "node", "container"), on="series")
        .sort("series", "time")
    )
    seconds = (pl.col("time").diff().dt.total_milliseconds() / 1000).over("series")
    rate = (pl.col("value").diff().over("series") / seconds).clip(lower_bound=0.0)
    return (
        points.with_columns(cores=pl.when(pl.col("metric").is_in(_GAUGES)).then("value").otherwise(rate))
        .filter(pl.col("cores").is_not_null())
        .group_by("node", "pod", "container", pl.col("time").dt.truncate(_BUCKET).alias("bucket"))
        .agg(pl.col("cores").mean(), pl.col("time").max())
        .group_by("node", "pod", "bucket")
        .agg(pl.col("cores").sum(), pl.col("time").max())
    )


def _trailing(column: str, by: str) -> pl.Expr:
    return pl.col(column).shift(_LAG).rolling_quantile(0.5, "linear", window_size=_REFERENCE, min_samples=5).over(by)


def detect(frames: Frames) -> pl.LazyFrame:
    """Pods whose growth explains their node's, seen in the window; onset is the bucket in which they grew."""
    usage = _usage(frames).sort("pod", "bucket")
    node = usage.group_by("node", "bucket").agg(pl.col("cores").sum().alias("node_cores")).sort("node", "bucket")
    node = node.with_columns(node_usual=_trailing("node_cores", "node"))
    known = pl.lit(frames.since).cast(TIME) + pl.duration(minutes=10)
    arrived = pl.col("bucket").min().over("pod") > known
    # What has just arrived used nothing before.
    own = usage.with_columns(usual=pl.coalesce(_trailing("cores", "pod"), pl.when(arrived).then(0.0)))
    share = pl.col("cores") / pl.col("node_cores")
    hogs = (
        own.join(node, on=["node", "bucket"])
        .with_columns(share=share)
        .filter(
            pl.col("cores") >= _MIN_CORES, pl.col("share") >= _SHARE, pl.col("cores") >= _GROWTH * pl.col("usual"),
            pl.col("node_cores") >= _NODE_GROWTH * pl.col("node_usual"),
        )
    )  # fmt: skip
    facts = hogs.select(
        "time",
        onset="bucket",
        kind=pl.lit("pod.cpu_hog"),
        entity_type=pl.lit("pod"),
        entity="pod",
        score=5.0 + 4.0 * pl.col("share"),
        direction=pl.lit(1),
        value="cores",
        baseline="usual",
        explanation=pl.format(
            "{} uses {} cores, {} % of the containers on {}",
            "pod",
            pl.col("cores").round(1),
            (pl.col("share") * 100).round(0).cast(pl.Int64),
            "node",
        ),
        evidence=evidence_of(node="node", share="share"),
    )
    return sessions(facts, frames, gap_s=300.0)


_METRICS = "^(?:" + "|".join((*_GAUGES, *_COUNTERS)).replace(".", r"\.") + ")$"
RULE = Rule("cpu_hog", "metric", ("metric_series", "metric_points"), detect, _METRICS)
