"""Node conditions and replica shortfalls, from metrics of every Kubernetes vocabulary and from watched nodes.

Signal: the kind that the `node_conditions` catalogue gives a condition (node.not_ready, node.disk_pressure,
gpu.nvlink, ...) on a node; workload.unavailable on a workload.
Condition: a condition is bad that has been seen before, for as long as it is; those of health agents must have been
good at some time, and their polarity differs. Two samples in a row with fewer
replicas than wanted. A node that was cordoned or under a maintenance notice when it became not ready is
node.maintenance.
Why it matters: a condition is what the scheduler acts on: pods leave the node because of it. The shortfall says
which workload has been hurt.
Source: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md and
https://github.com/open-telemetry/opentelemetry-collector-contrib/tree/main/receiver/k8sclusterreceiver
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.identity import job_or_workload
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

# k8scluster receiver: one gauge per condition (1 true, 0 false, -1 unknown). kube-state-metrics and the semantic
# conventions: one series per condition and status. node-problem-detector: one gauge per permanent problem.
# https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md
_PREFIX = "k8s.node.condition_"
_STATED = ("kube_node_status_condition", "k8s.node.condition", "k8s.node.condition.status", "problem_gauge")
_CONDITION = ("$.condition", "$['k8s.node.condition.type']", "$.type")
_STATUS = ("$.status", "$['k8s.node.condition.status']")

_WANTED = (
    "k8s.deployment.desired",
    "kube_deployment_spec_replicas",
    "k8s.statefulset.desired_pods",
    "kube_statefulset_replicas",
    "k8s.deployment.pod.desired",
    "k8s.statefulset.pod.desired",
)
_THERE = (
    "k8s.deployment.available",
    "kube_deployment_status_replicas_available",
    "k8s.statefulset.ready_pods",
    "kube_statefulset_status_replicas_ready",
    "k8s.deployment.pod.available",
    "k8s.statefulset.pod.ready",
)
_SUSTAINED = 2
ANNOUNCED_S = 3600


def _conditions(frames: Frames) -> pl.LazyFrame:
    """Conditions of nodes, from metrics and watched objects: `node, condition, time, value, bad, was, before, ...`."""
    label = pl.col("labels")
    stated = pl.coalesce(*(label.str.json_path_match(path).replace("", None) for path in _CONDITION))
    status = pl.coalesce(*(label.str.json_path_match(path).replace("", None) for path in _STATUS), pl.lit(""))
    kinds = catalog.table("node_conditions").lazy().with_columns(pl.col("good", "score").cast(pl.Float64))
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").str.starts_with(_PREFIX) | pl.col("metric").is_in(_STATED), pl.col("node") != "")
        .with_columns(condition=pl.coalesce(stated, pl.col("metric").str.strip_prefix(_PREFIX)), status=status)
        .filter(pl.col("status").str.to_lowercase().is_in(["", "true"]))
        .select("series", "node", "condition")
    )
    points = frames["metric_points"].join(series, on="series").select("node", "condition", "time", "value")
    watched = (
        frames["k8s_objects"]
        .filter(pl.col("what") == "condition", pl.col("kind") == "Node")
        .select("node", "time", condition="item", value=(pl.col("state") == "True").cast(pl.Float64))
    )
    per = ("source", "node", "condition")
    rows = (
        pl.concat(
            [
                part.select("node", "condition", "time", "value", source=pl.lit(n))
                for n, part in enumerate((points, watched))
            ]
        )
        .with_columns(condition=pl.col("condition").str.to_lowercase().str.replace_all("_", ""))
        .join(kinds, on="condition")
        .sort(*per, "time", "value")
        .with_columns(bad=pl.col("value") != pl.col("good"))
        .with_columns(
            was=pl.col("bad").shift(1).over(per),
            before=pl.col("time").shift(1).over(per),
            # What an agent has said all the while is its opinion of the node and no event.
            seen_good=(~pl.col("bad")).cum_max().over(per),
        )
    )
    return rows.filter((pl.col("standing") == 1) | pl.col("seen_good"))


def planned(frames: Frames) -> pl.LazyFrame:
    """(node, announced): when nodes were cordoned or put under a maintenance notice, in order of time."""
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
        planned(frames), left_on="time", right_on="announced", by="node", strategy="backward",
        tolerance=f"{ANNOUNCED_S}s", check_sortedness=False,
    )  # fmt: skip
    # A cordon that only follows the fault is the response to it: what counts is what was known at the start.
    at_start = pl.when(~pl.col("was")).then(pl.col("announced").is_not_null())
    expected = at_start.forward_fill().over("node", "kind", order_by="time").fill_null(value=False) & (
        pl.col("kind") == "node.not_ready"
    )
    return marked.select(
        "time", "onset",
        kind=pl.when(expected).then(pl.lit("node.maintenance")).otherwise("kind"),
        entity_type=pl.lit("node"),
        entity="node",
        score=pl.when(expected).then(3.5).otherwise("score"),
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
    "k8s_conditions",
    "kubernetes",
    ("metric_series", "metric_points", "k8s_events", "k8s_objects"),
    detect,
    r"^(?:k8s\.|kube_)",
)
