"""Kubernetes events that mean something broke or changed.

Signal: the kind that the `k8s_reasons` or `gpu_health_texts` catalogue gives an event, on the object the event
is about; xid.<code> where a GPU health agent names one.
Condition: reason, object kind and message fit a row of the catalogue, type Normal included. What happens once
by itself (a failed probe) counts half until it has repeated. A node that becomes not ready or reboots within
an hour of a cordon or a maintenance notice is maintenance.
Why it matters: events are the control plane's own account of what it did and why; their text carries causes
that no metric has.
Source: https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/event-v1/ and
https://github.com/NVIDIA/NVSentinel
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

ANNOUNCED_S = 3600.0
"""Node trouble this long after a cordon or a maintenance notice counts as planned."""

_COUNTING_S = 300
_GPU_AGENT = r"(?i)^(?:nvidia|gpu|dcgm|accelerat|syslogs[sx])"
_XID_REASON = r"(?i)xid(\d+)"


def parse(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events -> rows with `kind, score, lead_s, entity_type, entity` by the first catalogue row that fits."""
    reasons = (
        catalog.table("k8s_reasons")
        .lazy()
        .with_columns(pl.col("score", "lead_s").cast(pl.Float64))
        .with_row_index("rank")
    )
    fitting = (
        events.with_row_index("event")
        .join(reasons, on="reason", suffix="_rule")
        .filter(
            (pl.col("object_kind_rule") == "") | (pl.col("object_kind_rule") == pl.col("object_kind")),
            (pl.col("pattern") == "") | pl.col("message").str.contains(pl.col("pattern")),
        )
        .sort("event", "rank")
        .unique(subset="event", keep="first", maintain_order=True)
    )
    known = pl.concat([fitting.select(*_PARSED), _gpu_agents(events).select(*_PARSED)])
    return _with_entity(known)


_PARSED = (
    "time",
    "reason",
    "object_kind",
    "object",
    "namespace",
    "node",
    "message",
    "count",
    "kind",
    "score",
    "min_count",
    "lead_s",
)


def _gpu_agents(events: pl.LazyFrame) -> pl.LazyFrame:
    """Events of GPU health agents, whose reasons are their own: `NvidiaXID79Error`, `GPUDegraded`, ..."""
    texts = (
        catalog.table("gpu_health_texts").lazy().with_columns(pl.col("score").cast(pl.Float64)).with_row_index("rank")
    )
    xids = catalog.table("xid").lazy().select("code", xid_score=pl.col("score").cast(pl.Float64))
    known = catalog.table("k8s_reasons").lazy().select("reason").unique()
    mine = (
        events.filter(
            pl.col("object_kind") == "Node",
            pl.col("reason").str.contains(_GPU_AGENT) | pl.col("message").str.contains(r"^\[[A-Z_]+\] .*GPU"),
        )
        .join(known, on="reason", how="anti")
        .with_row_index("event")
        .with_columns(code=pl.col("reason").str.extract(_XID_REASON, 1).cast(pl.Int64))
        .join(xids, on="code", how="left")
    )
    told = (
        mine.join(texts, how="cross")
        .filter((pl.col("pattern") == "") | pl.col("message").str.contains(pl.col("pattern")))
        .sort("event", "rank")
        .unique(subset="event", keep="first", maintain_order=True)
    )
    # An agent that recommends nothing reports state, not trouble.
    idle = pl.col("message").str.contains("RecommendedAction: NONE", literal=True)
    return told.with_columns(
        kind=pl.when(pl.col("code").is_not_null())
        .then(pl.format("xid.{}", pl.col("code").fill_null(0)))
        .otherwise("kind"),
        score=pl.when(idle)
        .then(2.0)
        .when(pl.col("code").is_not_null())
        .then(pl.col("xid_score").fill_null(4.0))
        .otherwise("score"),
        min_count=pl.lit(1, pl.Int64),
        lead_s=pl.lit(30.0),
    )


def _with_entity(rows: pl.LazyFrame) -> pl.LazyFrame:
    kind, name = pl.col("object_kind"), pl.col("object")
    address = names.bdf("message")
    index = pl.col("message").str.extract(r"GPU (\d+)\b", 1)
    gpu = (
        pl.col("kind").str.contains(r"^(?:gpu\.|xid\.)")
        & (kind == "Node")
        & (address.is_not_null() | index.is_not_null())
    )
    reload = pl.col("kind") == "change.config"
    return rows.with_columns(
        entity_type=pl.when(gpu).then(pl.lit("gpu")).when(kind == "Node").then(pl.lit("node"))
        .when(kind == "Ingress").then(pl.lit("ingress"))
        .when((kind == "Pod") & ~reload).then(pl.lit("pod"))
        .when(kind == "Job").then(pl.lit("job"))
        .when(kind == "Service").then(pl.lit("service"))
        .otherwise(pl.lit("workload")),
        entity=pl.when(gpu & address.is_not_null()).then(pl.format("{}/{}", name, address.fill_null("")))
        .when(gpu).then(pl.format("{}/gpu{}", name, index.fill_null("")))
        .when(kind == "ReplicaSet").then(names.deployment_of(name))
        .when((kind == "Pod") & reload).then(names.owner(name))
        .otherwise(name),
    )  # fmt: skip


def _unless_announced(rows: pl.LazyFrame) -> pl.LazyFrame:
    notices = (
        rows.filter(pl.col("kind").is_in(["change.cordon", "node.maintenance"]), pl.col("object_kind") == "Node")
        .select("entity", announced="time")
        .sort("announced")
    )
    marked = rows.sort("time").join_asof(
        notices, left_on="time", right_on="announced", by="entity", strategy="backward",
        tolerance=f"{round(ANNOUNCED_S * 1e9)}ns", check_sortedness=False,
    )  # fmt: skip
    planned = pl.col("announced").is_not_null() & pl.col("kind").is_in(["node.not_ready", "node.rebooted"])
    return marked.with_columns(
        kind=pl.when(planned).then(pl.lit("node.maintenance")).otherwise("kind"),
        score=pl.when(planned).then(pl.min_horizontal("score", pl.lit(3.5))).otherwise("score"),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals of events seen in the window; what happens once by itself (a failed probe) counts half."""
    rows = _unless_announced(parse(frames["k8s_events"]))
    near = pl.col("time").dt.truncate(f"{_COUNTING_S}s")
    repeats = pl.max_horizontal(pl.len().over("kind", "entity", near).cast(pl.Int64), pl.col("count"))
    message = pl.col("message").str.slice(0, 300)
    facts = rows.select(
        "time", "kind", "entity_type", "entity",
        onset=pl.col("time") - pl.duration(milliseconds=(pl.col("lead_s") * 1000).cast(pl.Int64)),
        score=pl.when(repeats >= pl.col("min_count")).then("score").otherwise(pl.col("score") / 2),
        explanation=pl.format("{} {}: {}", "object_kind", "object", pl.col("message").str.slice(0, 200)),
        evidence=evidence_of(reason="reason", object="object", namespace="namespace", node="node", message=message),
    )  # fmt: skip
    return sessions(facts, frames)


RULE = Rule("k8s_events", "kubernetes", ("k8s_events",), detect)
