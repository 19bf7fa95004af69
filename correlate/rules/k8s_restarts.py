"""Container restarts and the states that explain them, from metrics.

Signal: pod.restart, pod.oom_killed, pod.crash_loop, pod.image_pull, pod.config_error or pod.start_failed on a pod.
Condition: the restart counter grows, or a bad waiting or termination reason appears; the onset lies between
the two samples around the change.
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
)
_TERMINATED = "kube_pod_container_status_last_terminated_reason"
_WAITING = "kube_pod_container_status_waiting_reason"

# reason label -> kind, score. https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md
_STATES = pl.DataFrame(
    {
        "reason": [
            "OOMKilled",
            "CrashLoopBackOff",
            "ImagePullBackOff",
            "ErrImagePull",
            "InvalidImageName",
            "CreateContainerConfigError",
            "CreateContainerError",
            "ContainerCannotRun",
            "StartError",
            "RunContainerError",
        ],
        "kind": [
            "pod.oom_killed",
            "pod.crash_loop",
            "pod.image_pull",
            "pod.image_pull",
            "pod.image_pull",
            "pod.config_error",
            "pod.start_failed",
            "pod.start_failed",
            "pod.start_failed",
            "pod.start_failed",
        ],
        "score": [8.5, 6.5, 8.0, 8.0, 8.0, 8.0, 7.0, 7.0, 7.0, 7.0],
    }
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


def _states(frames: Frames) -> pl.LazyFrame:
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in([_TERMINATED, _WAITING]), pl.col("pod") != "")
        .with_columns(reason=pl.col("labels").str.json_path_match("$.reason").fill_null(""))
        .join(_STATES.lazy(), on="reason")
        .select("series", "metric", "pod", "container", "reason", "kind", "score")
    )
    # Such a series may exist only while the state holds, so its first sample counts as a change; in the first
    # minutes of the history nothing is known about what was before.
    known = pl.lit(frames.since).cast(pl.Datetime("ns", "UTC")) + pl.duration(seconds=3 * _LATE_S)
    edges = (
        frames["metric_points"]
        .join(series, on="series")
        .sort("series", "time")
        .with_columns(before=pl.col("time").shift(1).over("series"), was=pl.col("value").shift(1).over("series"))
        .with_columns(gap=(pl.col("time") - pl.col("before")) > pl.duration(seconds=5 * _LATE_S))
        .filter(
            pl.col("value") > 0,
            (pl.col("was").fill_null(0.0) == 0) | ((pl.col("metric") == _WAITING) & pl.col("gap")),
            pl.col("time") > known,
        )
    )
    return edges.select(
        "time", "kind", "score",
        onset=_between(),
        entity_type=pl.lit("pod"),
        entity="pod",
        explanation=pl.format("container {} of {}: {}", "container", "pod", "reason"),
        evidence=evidence_of(container="container", reason="reason"),
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Restarts and bad container states seen in the window; onset lies between the two samples around the change."""
    return pl.concat([sessions(_restarts(frames), frames, gap_s=900.0), sessions(_states(frames), frames, gap_s=900.0)])


RULE = Rule("k8s_restarts", "kubernetes", ("metric_series", "metric_points"), detect, r"^(?:k8s\.|kube_)")
