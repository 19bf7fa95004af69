"""Node conditions and replica shortfalls, from metrics of both Kubernetes vocabularies.

Signal: node.not_ready, node.disk_pressure, node.memory_pressure, node.pid_pressure, node.kernel, node.storage,
node.gpu_driver or node.condition on a node; workload.unavailable on a workload.
Condition: a condition is bad that has been seen before, for as long as it is; two samples in a row with fewer
replicas than wanted. A node that was cordoned or under a maintenance notice when it became not ready is
node.maintenance.
Why it matters: a condition is what the scheduler acts on: pods leave the node because of it. The shortfall says
which workload has been hurt.
Source: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md and
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/k8sclusterreceiver
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.identity import job_or_workload
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

# k8scluster receiver: one gauge per condition (1 true, 0 false, -1 unknown). kube-state-metrics: one series per
# condition and status. https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md
_PREFIX = "k8s.node.condition_"
_KSM = "kube_node_status_condition"
_KINDS = pl.DataFrame(
    {
        "condition": [
            "ready",
            "diskpressure",
            "memorypressure",
            "pidpressure",
            "networkunavailable",
            "kerneldeadlock",
            "readonlyfilesystem",
            # The EKS node monitoring agent's verdict on GPUs.
            "acceleratedhardwareready",
        ],
        "kind": [
            "node.not_ready",
            "node.disk_pressure",
            "node.memory_pressure",
            "node.pid_pressure",
            "node.condition",
            "node.kernel",
            "node.storage",
            "node.gpu_driver",
        ],
        "good": [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        "score": [8.5, 8.5, 8.5, 8.0, 8.0, 8.0, 8.0, 8.0],
    }
)

_WANTED = (
    "k8s.deployment.desired",
    "kube_deployment_spec_replicas",
    "k8s.statefulset.desired_pods",
    "kube_statefulset_replicas",
)
_THERE = (
    "k8s.deployment.available",
    "kube_deployment_status_replicas_available",
    "k8s.statefulset.ready_pods",
    "kube_statefulset_status_replicas_ready",
)
_SUSTAINED = 2
ANNOUNCED_S = 3600


def _conditions(frames: Frames) -> pl.LazyFrame:
    name = pl.col("metric").str.strip_prefix(_PREFIX)
    stated = pl.col("labels").str.json_path_match("$.condition")
    status = pl.col("labels").str.json_path_match("$.status").fill_null("")
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").str.starts_with(_PREFIX) | (pl.col("metric") == _KSM), pl.col("node") != "")
        .with_columns(condition=pl.coalesce(stated, name).str.to_lowercase().str.replace_all("_", ""), status=status)
        .filter(pl.col("status").is_in(["", "true"]))
        .join(_KINDS.lazy(), on="condition")
        .select("series", "node", "condition", "kind", "good", "score")
    )
    return (
        frames["metric_points"]
        .join(series, on="series")
        .with_columns(bad=pl.col("value") != pl.col("good"))
        .sort("series", "time")
        .with_columns(was=pl.col("bad").shift(1).over("series"), before=pl.col("time").shift(1).over("series"))
    )


def _planned(frames: Frames) -> pl.LazyFrame:
    notices = frames["k8s_events"].filter(
        pl.col("reason").is_in(["NodeNotSchedulable", "MaintenanceWindow"]), pl.col("object_kind") == "Node"
    )
    gauges = (
        frames["metric_points"]
        .join(
            frames["metric_series"].filter(pl.col("metric") == "kube_node_spec_unschedulable").select("series", "node"),
            on="series",
        )
        .filter(pl.col("value") > 0)
    )
    return pl.concat([notices.select(node="object", announced="time"), gauges.select("node", announced="time")]).sort(
        "announced"
    )


def _node_facts(frames: Frames) -> pl.LazyFrame:
    turned = (
        _conditions(frames)
        .filter(pl.col("bad"), pl.col("was").is_not_null())
        # One session lasts as long as the condition does; its onset is the first bad sample after a good one.
        .with_columns(
            onset=pl.when(~pl.col("was"))
            .then(pl.col("before") + (pl.col("time") - pl.col("before")) / 2)
            .otherwise("time")
        )
    )
    marked = turned.sort("time").join_asof(
        _planned(frames), left_on="time", right_on="announced", by="node", strategy="backward",
        tolerance=f"{ANNOUNCED_S}s", check_sortedness=False,
    )  # fmt: skip
    # A cordon that only follows the fault is the response to it: what counts is what was known at the start.
    at_start = pl.when(~pl.col("was")).then(pl.col("announced").is_not_null())
    planned = at_start.forward_fill().over("node", "kind", order_by="time").fill_null(value=False) & (
        pl.col("kind") == "node.not_ready"
    )
    return marked.select(
        "time", "onset",
        kind=pl.when(planned).then(pl.lit("node.maintenance")).otherwise("kind"),
        entity_type=pl.lit("node"),
        entity="node",
        score=pl.when(planned).then(3.5).otherwise("score"),
        value="value", baseline="good", direction=pl.lit(-1),
        explanation=pl.format("condition {} of {} turned bad", "condition", "node"),
        evidence=evidence_of(condition="condition", value="value"),
    )  # fmt: skip


def _shortfall(frames: Frames) -> pl.LazyFrame:
    _, owner = job_or_workload()
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in([*_WANTED, *_THERE]))
        .select("series", workload=owner, namespace="namespace", wanted=pl.col("metric").is_in(_WANTED))
        .filter(pl.col("workload") != "")
    )
    points = frames["metric_points"].join(series, on="series").with_columns(bucket=pl.col("time").dt.truncate("30s"))
    both = (
        points.group_by("workload", "namespace", "bucket")
        .agg(
            pl.col("value").filter("wanted").max().alias("desired"),
            pl.col("value").filter(~pl.col("wanted")).min().alias("available"),
            pl.col("time").max().alias("time"),
        )
        .drop_nulls(["desired", "available"])
        .sort("workload", "namespace", "bucket")
        .with_columns(short=pl.col("available") < pl.col("desired"))
    )
    sustained = both.with_columns(
        streak=pl.col("short")
        .cast(pl.Int64)
        .rolling_sum(_SUSTAINED, min_samples=_SUSTAINED)
        .over("workload", "namespace"),
        since=pl.col("time").shift(_SUSTAINED - 1).over("workload", "namespace"),
    ).filter(pl.col("streak") == _SUSTAINED)
    lost = 1.0 - pl.col("available") / pl.col("desired")
    counts = (pl.col("available").cast(pl.Int64), pl.col("desired").cast(pl.Int64))
    return sustained.select(
        "time",
        onset="since",
        kind=pl.lit("workload.unavailable"),
        entity_type=pl.lit("workload"),
        entity="workload",
        score=4.0 + 4.0 * lost,
        value="available", baseline="desired", direction=pl.lit(-1),
        explanation=pl.format("{} has {} of {} replicas", "workload", *counts),
        evidence=evidence_of(available="available", desired="desired"),
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Bad conditions and missing replicas seen in the window."""
    return pl.concat(
        [sessions(_node_facts(frames), frames, gap_s=300.0), sessions(_shortfall(frames), frames, gap_s=120.0)]
    )


RULE = Rule(
    "k8s_conditions", "kubernetes", ("metric_series", "metric_points", "k8s_events"), detect, r"^(?:k8s\.|kube_)"
)
