"""Container restarts, from metrics.

Signal: pod.restart on a pod; pod.oom_killed where the series says that memory was the reason.
Condition: the restart counter grows; the onset lies between the two samples around the change.
Why it matters: restarts in place keep the pod's name and uid and write no event, so the counter is the only
witness.
Source: https://kep.k8s.io/5307 and
https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

RESTARTS = (
    "k8s.container.restarts",
    "kube_pod_container_status_restarts_total",
    "kube_pod_init_container_status_restarts_total",
    "k8s.container.restart.count",
)

_LATE_S = 60


def _between() -> pl.Expr:
    """Half-way back to the sample before: when, at best guess, the step happened."""
    back = pl.min_horizontal(pl.col("time") - pl.col("before"), pl.duration(seconds=2 * _LATE_S)).fill_null(
        pl.duration(seconds=_LATE_S)
    )
    return pl.col("time") - back / 2


def _restarts(frames: Frames) -> pl.LazyFrame:
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in(RESTARTS), pl.col("pod") != "")
        .select("series", "pod", "container", "labels")
    )
    steps = (
        frames["metric_points"]
        .join(series, on="series")
        .sort("series", "time")
        .with_columns(
            before=pl.col("time").shift(1).over("series"),
            was=pl.col("value").shift(1).over("series"),
        )
        .filter(pl.col("value") > pl.col("was"))
    )
    killed = pl.col("labels").str.contains('"k8s.container.status.last_terminated_reason":"OOMKilled"', literal=True)
    return steps.select(
        "time",
        "value",
        onset=_between(),
        kind=pl.when(killed).then(pl.lit("pod.oom_killed")).otherwise(pl.lit("pod.restart")),
        entity_type=pl.lit("pod"),
        entity="pod",
        score=pl.when(killed).then(8.5).otherwise(5.0),
        direction=pl.lit(1),
        baseline="was",
        explanation=pl.format(
            "container {} of {} restarted ({} -> {})",
            "container",
            "pod",
            pl.col("was").cast(pl.Int64),
            pl.col("value").cast(pl.Int64),
        ),
        evidence=evidence_of(container="container", restarts="value"),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Restarts seen in the window; onset lies between the two samples around the change."""
    return sessions(_restarts(frames), frames, gap_s=900.0)


RULE = Rule("k8s_restarts", "kubernetes", ("metric_series", "metric_points"), detect, r"^(?:k8s\.|kube_)")
