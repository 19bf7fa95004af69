"""Nodes from which nothing comes any more.

Signal: node.absent on a node; telemetry.gap on it, as context, where its exporters fall silent and others do not.
Condition: at least two kinds of records came from the node (kubelet or host metrics, GPU metrics, container metrics,
logs, traces) for ten minutes; all of them have stopped for three of their intervals and two minutes while most other
nodes go on. A node that was drained or announced is no fault.
Why it matters: a node that crashes or loses its network sends no error. It is a minute until Kubernetes says so, and
five until pods are replaced; its silence is seen first.
Source: https://kubernetes.io/docs/concepts/architecture/nodes/#node-status (what Kubernetes waits for)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules.k8s_conditions import ANNOUNCED_S, planned
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

# What others say about a node (the API server's view, service discovery) goes on when the node is gone.
_ABOUT = (
    r"^(?:kube_|k8s\.node\.condition|k8s\.(?:pod\.phase|container\.(?:restarts|ready|status)|deployment|replicaset)"
    r"|up$|scrape_)"
)
_BEAT = "15s"
_MISSED = 3
_MIN_SILENCE_S = 120
_MIN_BEATS = 20
_MIN_SOURCES = 2
_MOST_GONE = 0.34
_SCORE = 6.0
# Applications come and go on a node; what measures the node itself stays.
_EXPORTERS = ("host", "gpu")


def _metrics(frames: Frames) -> pl.LazyFrame:
    """(node, source, last, every, beats) of metrics: of each kind the series that came most often."""
    beats = pl.col("samples")
    return (
        frames["metric_series"]
        .filter(pl.col("node") != "", ~pl.col("metric").str.contains(_ABOUT), beats > 1)
        .with_columns(
            source=pl.when(pl.col("metric").str.starts_with("DCGM_"))
            .then(pl.lit("gpu"))
            .when(pl.col("metric").str.contains(r"^(?:container|k8s\.pod)"))
            .then(pl.lit("container"))
            .when(pl.col("metric").str.contains(r"^(?:node_|k8s\.node|system\.|hw\.)"))
            .then(pl.lit("host"))
            .otherwise(pl.lit("application")),
            every=((pl.col("last") - pl.col("first")) / (beats - 1)).dt.cast_time_unit("ns"),
        )
        .group_by("node", "source")
        .agg(pl.col("last").max(), pl.col("every").min(), beats=beats.max())
    )


def _records(frames: Frames) -> pl.LazyFrame:
    """The same of logs and spans, which come in bursts: beats are the quarters of a minute in which some came."""
    sources = [
        frames[name].filter(pl.col("node") != "").select("node", "time", source=pl.lit(source))
        for name, source in (("logs", "logs"), ("spans", "traces"))
    ]
    return (
        pl.concat(sources)
        .with_columns(pl.col("time").dt.truncate(_BEAT))
        .unique()
        .sort("node", "source", "time")
        .group_by("node", "source")
        .agg(
            pl.col("time").max().alias("last"),
            pl.col("time").diff().quantile(0.9).alias("every"),
            pl.len().cast(pl.Int64).alias("beats"),
        )
    )


def _quiet(frames: Frames) -> pl.LazyFrame:
    """Per node and source with a past: `last` beat and whether it is `gone` for longer than its `limit`."""
    return (
        pl.concat([_metrics(frames), _records(frames)], how="diagonal_relaxed")
        .filter(pl.col("beats") >= _MIN_BEATS)
        .with_columns(limit=pl.max_horizontal(_MISSED * pl.col("every"), pl.duration(seconds=_MIN_SILENCE_S)))
        .with_columns(gone=frames.end - pl.col("last") > pl.col("limit"))
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Nodes that are silent at the window's end; onset is their last record."""
    sources = _quiet(frames)
    nodes = sources.group_by("node").agg(
        pl.len().alias("sources"),
        pl.col("gone").sum().alias("silent"),
        pl.col("last").max(),
        pl.col("last").filter(pl.col("gone")).max().alias("last_gone"),
        pl.col("limit").max(),
        pl.col("source").filter(pl.col("gone") & pl.col("source").is_in(_EXPORTERS)).sort().alias("which"),
    )
    many = nodes.with_columns(all_gone=pl.col("sources") == pl.col("silent")).with_columns(
        share=pl.col("all_gone").mean().over(pl.lit(1)), nodes=pl.len().over(pl.lit(1))
    )
    # When most nodes fall silent together, it is the way to us that broke.
    alone = many.filter(pl.col("silent") > 0, pl.col("share") <= _MOST_GONE, pl.col("nodes") > 1)
    marked = (
        alone.sort("last")
        .join_asof(
            planned(frames), left_on="last", right_on="announced", by="node", strategy="backward",
            tolerance=f"{ANNOUNCED_S}s", check_sortedness=False,
        )
        .with_columns(lost=pl.col("all_gone") & (pl.col("sources") >= _MIN_SOURCES) & pl.col("announced").is_null())
    )  # fmt: skip
    partly = ~pl.col("all_gone") & (pl.col("which").list.len() > 0)
    facts = marked.filter(pl.col("lost") | partly).select(
        time=(frames.end - pl.duration(nanoseconds=1)).cast(TIME),
        onset=pl.when("lost").then("last").otherwise("last_gone"),
        kind=pl.when("lost").then(pl.lit("node.absent")).otherwise(pl.lit("telemetry.gap")),
        entity_type=pl.lit("node"),
        entity="node",
        score=pl.when("lost").then(_SCORE).otherwise(3.0),
        direction=pl.lit(-1),
        explanation=pl.when("lost")
        .then(pl.format("nothing comes from {} any more", "node"))
        .otherwise(pl.format("{} stopped sending {}", "node", pl.col("which").list.join(", "))),
        evidence=evidence_of(sources="which"),
    )
    return sessions(facts, frames)


RULE = Rule(
    "node_absent", "kubernetes",
    ("metric_series", "logs", "spans", "k8s_events"), detect,
)  # fmt: skip
