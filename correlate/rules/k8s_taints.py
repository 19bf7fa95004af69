"""Taints and cordons of nodes.

Signal: the kind that the `node_taints` catalogue gives a taint's key, on a node; change.cordon where a node is closed
for new pods.
Condition: a taint or a cordon appears that was not there when the history began. A taint for a node that is not ready
is maintenance, if the node had been cordoned within the hour before.
Why it matters: controllers and health agents speak through taints: of GPUs they distrust, of nodes they cannot reach.
A cordon itself is somebody's response or plan and causes nothing.
Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/ and
https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.rules.k8s_conditions import ANNOUNCED_S, planned
from correlate.rules.k8s_states import between
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

TAINT, CORDON = "kube_node_spec_taint", "kube_node_spec_unschedulable"
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_HEALTHY = ("Schedulable", "Healthy", "false")
_KNOWN_S = 180


def _sightings(frames: Frames) -> pl.LazyFrame:
    """`node, key, value, time, on` of taints; a cordon counts as the taint that it brings."""
    label = pl.col("labels")
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in([TAINT, CORDON]), pl.col("node") != "")
        .select(
            "series",
            "node",
            key=pl.when(pl.col("metric") == CORDON)
            .then(pl.lit(_UNSCHEDULABLE))
            .otherwise(label.str.json_path_match("$.key").fill_null("")),
            value=label.str.json_path_match("$.value").fill_null(""),
        )
    )
    metrics = (
        frames["metric_points"]
        .rename({"value": "set"})
        .join(series, on="series")
        .select("node", "key", "value", "time", on=pl.col("set") > 0)
    )
    nodes = frames["k8s_objects"].filter(pl.col("kind") == "Node")
    taints = nodes.filter(pl.col("what") == "taint").select(
        "node", "time", key="item", value="detail", on=pl.lit(value=True)
    )
    cordons = nodes.filter(pl.col("what") == "cordon").select(
        "node", "time", key=pl.lit(_UNSCHEDULABLE), value=pl.lit(""), on=pl.col("state") == "True"
    )
    columns = ("node", "key", "value", "time", "on")
    return pl.concat([part.select(columns) for part in (metrics, taints, cordons)])


def _appeared(frames: Frames) -> pl.LazyFrame:
    kinds = catalog.table("node_taints").with_columns(pl.col("score").cast(pl.Float64)).with_row_index("rank").lazy()
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=_KNOWN_S)
    per = ("node", "key", "value")
    return (
        _sightings(frames)
        .filter(~pl.col("value").is_in(_HEALTHY))
        .sort(*per, "time", "on")
        .with_columns(was=pl.col("on").shift(1).over(per), before=pl.col("time").shift(1).over(per))
        .filter(pl.col("on"), ~pl.col("was").fill_null(value=False), pl.col("time") > known)
        .with_row_index("row")
        .join(kinds, how="cross")
        .filter(pl.col("key").str.contains(pl.col("pattern")))
        .sort("row", "rank")
        .unique("row", keep="first", maintain_order=True)
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Taints that appeared in the window; onset lies between the two samples around the change."""
    marked = (
        _appeared(frames)
        .sort("time")
        .join_asof(
            planned(frames), left_on="time", right_on="announced", by="node", strategy="backward",
            tolerance=f"{ANNOUNCED_S}s", check_sortedness=False,
        )
    )  # fmt: skip
    expected = pl.col("announced").is_not_null() & (pl.col("kind") == "node.not_ready")
    facts = marked.select(
        "time",
        onset=between(),
        kind=pl.when(expected).then(pl.lit("node.maintenance")).otherwise("kind"),
        entity_type=pl.lit("node"),
        entity="node",
        score=pl.when(expected).then(3.5).otherwise("score"),
        explanation=pl.format("{} was tainted: {} {}", "node", "key", "value"),
        evidence=evidence_of(key="key", value="value"),
    )
    return sessions(facts, frames)


RULE = Rule(
    "k8s_taints",
    "kubernetes",
    ("metric_series", "metric_points", "k8s_events", "k8s_objects"),
    detect,
    named((TAINT, CORDON)),
)
