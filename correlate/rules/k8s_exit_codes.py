"""Exit codes that say how a container died.

Signal: pod.crashed, pod.aborted or pod.start_failed on a pod.
Condition: a container's last exit code becomes one of the `exit_codes` catalogue, from kube-state-metrics or from a
watched pod. 137 is left out: it is an OOM kill, an eviction, a failed probe or a lost node alike, and what tells them
apart is reported by itself.
Why it matters: a segmentation fault or a bus error is the process's own end (a driver, a library, shared memory that
is too small) and a missing command is the image's; nothing around the pod caused them.
Source: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md
(kube_pod_container_status_last_terminated_exitcode)
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.rules.k8s_states import between
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

METRIC = "kube_pod_container_status_last_terminated_exitcode"
_KNOWN_S = 180


def _codes(frames: Frames) -> pl.LazyFrame:
    """`pod, container, source, time, code` of every sample."""
    series = (
        frames["metric_series"]
        .filter(pl.col("metric") == METRIC, pl.col("pod") != "")
        .select("series", "pod", "container", source="metric")
    )
    points = frames["metric_points"].join(series, on="series")
    watched = frames["k8s_objects"].filter(pl.col("what") == "terminated")
    return pl.concat(
        [
            points.select("pod", "container", "source", "time", code="value"),
            watched.select("time", pod="name", container="item", source=pl.lit("pod"), code="number").select(
                "pod", "container", "source", "time", "code"
            ),
        ]
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Deaths seen in the window; onset lies between the two samples around the change of the code."""
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=_KNOWN_S)
    meaning = catalog.table("exit_codes").lazy().select("code", "kind", "text", pl.col("score").cast(pl.Float64))
    per = ("pod", "container", "source")
    died = (
        _codes(frames)
        .sort(*per, "time", "code")
        .with_columns(was=pl.col("code").shift(1).over(per), before=pl.col("time").shift(1).over(per))
        .filter(
            (pl.col("code") != pl.col("was")) | pl.col("was").is_null(),
            pl.col("was").is_not_null() | (pl.col("time") > known),
        )
        .with_columns(pl.col("code").cast(pl.Int64))
        .join(meaning, on="code")
    )
    facts = died.select(
        "time",
        "kind",
        "score",
        onset=between(),
        entity_type=pl.lit("pod"),
        entity="pod",
        value=pl.col("code").cast(pl.Float64),
        explanation=pl.format("container {} of {} ended with code {}: {}", "container", "pod", "code", "text"),
        evidence=evidence_of(container="container", code="code", source="source"),
    )
    return sessions(facts, frames, gap_s=900.0)


RULE = Rule("k8s_exit_codes", "kubernetes", ("metric_series", "metric_points", "k8s_objects"), detect, named((METRIC,)))
