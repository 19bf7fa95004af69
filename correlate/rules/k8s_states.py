"""States of pods and containers that say what is wrong, in all four vocabularies.

Signal: the kind that the `pod_states` catalogue gives a reason (pod.oom_killed, pod.image_pull, pod.evicted, ...) on a
pod.
Condition: a reason appears: as a label of a gauge that turns 1 (kube-state-metrics, semantic conventions), as a number
(k8scluster receiver), or in a watched pod. What is there when the history begins is old news.
Why it matters: a state says why a pod does not run where an event has expired or was never written: restarts in
place, evictions by taint and admission failures leave nothing else.
Source: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/workload/pod-metrics.md,
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/k8sclusterreceiver and
https://opentelemetry.io/docs/specs/semconv/system/k8s-metrics/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

WAITING = "kube_pod_container_status_waiting_reason"
REASONS = (
    WAITING,
    "kube_pod_container_status_terminated_reason",
    "kube_pod_container_status_last_terminated_reason",
    "kube_pod_status_reason",
    "kube_pod_status_disruption_reason",
    "k8s.container.status.reason",
    "k8s.pod.status.reason",
)
"""Gauges with a series per reason, 1 while it holds."""

PHASES = ("kube_pod_status_phase", "k8s.pod.status.phase")
# The k8scluster receiver counts phases and reasons.
CODES = pl.DataFrame(
    {
        "metric": ["k8s.pod.phase", *["k8s.pod.status_reason"] * 5, "kube_pod_status_unschedulable"],
        "code": [4.0, 1.0, 2.0, 3.0, 4.0, 5.0, 1.0],
        "reason": [
            "Failed", "Evicted", "NodeAffinity", "NodeLost", "Shutdown", "UnexpectedAdmissionError", "Unschedulable",
        ],
    }
)  # fmt: skip
_LABELS = ("reason", "k8s.container.status.reason", "k8s.pod.status.reason", "phase", "k8s.pod.status.phase")
_OBJECT_CONDITIONS = ("DisruptionTarget",)
_LATE_S = 60
_GAP_S = 5 * _LATE_S


def _label() -> pl.Expr:
    told = (pl.col("labels").str.json_path_match(f"$['{name}']").replace("", None) for name in _LABELS)
    return pl.coalesce(*told, pl.lit(""))


def _from_metrics(frames: Frames) -> pl.LazyFrame:
    """`pod, container, reason, source, time, on`: samples that say whether a reason holds."""
    named = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in([*REASONS, *PHASES]), pl.col("pod") != "")
        .select("series", "pod", "container", reason=_label(), source="metric")
    )
    counted = (
        frames["metric_series"]
        .filter(pl.col("pod") != "")
        .join(CODES.lazy(), on="metric")
        .select("series", "pod", "container", "reason", "code", source="metric")
    )
    points = frames["metric_points"]
    columns = ("pod", "container", "reason", "source", "time")
    return pl.concat(
        [
            points.join(named, on="series").select(*columns, on=pl.col("value") > 0),
            points.join(counted, on="series").select(*columns, on=pl.col("value") == pl.col("code")),
        ]
    )


def _from_objects(frames: Frames) -> pl.LazyFrame:
    """The same of watched pods; each report of a pod says of every reason known of it whether it holds."""
    pods = frames["k8s_objects"].filter(pl.col("kind") == "Pod")
    held = (
        (pl.col("what") == "condition") & pl.col("item").is_in(_OBJECT_CONDITIONS) & (pl.col("state") == "True")
    ) | pl.col("what").is_in(["waiting", "terminated", "phase"])
    reason = pl.when(pl.col("what") == "condition").then("detail").otherwise("state")
    said = pods.filter(held).select(
        "time", pod="name", container="item", reason=reason, source=pl.format("pod {}", "what")
    )
    reports = pods.select("time", pod="name").unique()
    about = said.select("pod", "container", "reason", "source").unique()
    return (
        reports.join(about, on="pod")
        .join(said.with_columns(on=True), on=["time", "pod", "container", "reason", "source"], how="left")
        .select("pod", "container", "reason", "source", "time", pl.col("on").fill_null(value=False))
    )


def _appeared(frames: Frames) -> pl.LazyFrame:
    states = catalog.table("pod_states").lazy().select("reason", "kind", pl.col("score").cast(pl.Float64))
    per = ("pod", "container", "reason", "source")
    # A series may exist only while the state holds, so its first sample counts as a change; in the first minutes of
    # the history nothing is known about what was before.
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=3 * _LATE_S)
    gap = (pl.col("time") - pl.col("before")) > pl.duration(seconds=_GAP_S)
    return (
        pl.concat([_from_metrics(frames), _from_objects(frames)])
        .join(states, on="reason")
        .sort(*per, "time", "on")
        .with_columns(was=pl.col("on").shift(1).over(per), before=pl.col("time").shift(1).over(per))
        .filter(
            pl.col("on"),
            ~pl.col("was").fill_null(value=False) | ((pl.col("source") == WAITING) & gap),
            pl.col("time") > known,
        )
    )


def between(late_s: int = _LATE_S) -> pl.Expr:
    """Half-way back from `time` to the sample `before` it: when, at best guess, the change happened."""
    back = pl.min_horizontal(pl.col("time") - pl.col("before"), pl.duration(seconds=2 * late_s)).fill_null(
        pl.duration(seconds=late_s)
    )
    return pl.col("time") - back / 2


def detect(frames: Frames) -> pl.LazyFrame:
    """Bad states that appeared in the window; onset lies between the two samples around the change."""
    facts = _appeared(frames).select(
        "time",
        "kind",
        "score",
        onset=between(),
        entity_type=pl.lit("pod"),
        entity="pod",
        explanation=pl.format("container {} of {}: {}", "container", "pod", "reason"),
        evidence=evidence_of(container="container", reason="reason", source="source"),
    )
    return sessions(facts, frames, gap_s=900.0)


RULE = Rule("k8s_states", "kubernetes", ("metric_series", "metric_points", "k8s_objects"), detect, r"^(?:k8s\.|kube_)")
