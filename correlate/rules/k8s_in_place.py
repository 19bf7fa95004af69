"""Pods that were restarted as a whole, without being replaced.

Signal: pod.restart on a pod.
Condition: every container of a pod with two or more restarts once between the same two samples; or a watched pod says
that all its containers are restarting.
Why it matters: the pod keeps its name, uid, node and devices and no event is written, so only this tells a restart of
the group (a gang-scheduled job that starts over) from one container that crashes.
Source: https://kep.k8s.io/5532 (RestartAllContainers) and https://kep.k8s.io/5307 (restart rules per container)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.rules.k8s_restarts import RESTARTS
from correlate.rules.k8s_states import between
from correlate.sessions import evidence_of, sessions

_CONDITION = "AllContainersRestarting"
_TOGETHER = "60s"
_SCORE = 5.5


def _together(frames: Frames) -> pl.LazyFrame:
    """Buckets in which every container of a pod restarted: `time, before, pod, containers`."""
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in(RESTARTS), pl.col("pod") != "", pl.col("container") != "")
        .select("series", "pod", "container")
    )
    metrics = frames["metric_points"].join(series, on="series").select("pod", "container", "time", count="value")
    objects = frames["k8s_objects"].filter(pl.col("what") == "restarts")
    watched = objects.select("time", pod="name", container="item", count="number")
    per = ("source", "pod", "container")
    steps = (
        pl.concat(
            [
                part.select("pod", "container", "time", "count", source=pl.lit(n))
                for n, part in enumerate((metrics, watched))
            ]
        )
        .sort(*per, "time")
        .with_columns(
            step=pl.col("count").diff().over(per),
            before=pl.col("time").shift(1).over(per),
            bucket=pl.col("time").dt.truncate(_TOGETHER),
        )
    )
    return (
        steps.filter(pl.col("step").is_not_null())
        .group_by("source", "pod", "bucket")
        .agg(
            pl.col("container").n_unique().alias("containers"),
            pl.col("container").filter(pl.col("step") > 0).n_unique().alias("restarted"),
            pl.col("time").filter(pl.col("step") > 0).min().alias("time"),
            pl.col("before").filter(pl.col("step") > 0).min().alias("before"),
        )
        .filter(pl.col("containers") >= 2, pl.col("restarted") == pl.col("containers"))
        .select("time", "before", "pod", "containers")
    )


def _said(frames: Frames) -> pl.LazyFrame:
    pods = frames["k8s_objects"].filter(pl.col("what") == "condition", pl.col("item") == _CONDITION)
    return pods.filter(pl.col("state") == "True").select(
        "time", before="time", pod="name", containers=pl.lit(0, pl.UInt32)
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Restarts of whole pods seen in the window."""
    rows = pl.concat([_together(frames), _said(frames)])
    facts = rows.select(
        "time",
        onset=between(),
        kind=pl.lit("pod.restart"),
        entity_type=pl.lit("pod"),
        entity="pod",
        score=pl.lit(_SCORE),
        direction=pl.lit(1),
        explanation=pl.format("all containers of {} restarted in place", "pod"),
        evidence=evidence_of(containers="containers"),
    )
    return sessions(facts, frames, gap_s=900.0)


RULE = Rule("k8s_in_place", "kubernetes", ("metric_series", "metric_points", "k8s_objects"), detect, named(RESTARTS))
