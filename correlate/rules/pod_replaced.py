"""Pods that went away and were replaced by others of their kind.

Signal: pod.replaced on the pod that went away.
Condition: a pod of a ReplicaSet, which had been there for five minutes, says nothing more, and within two minutes of
its last word another pod of the same ReplicaSet appears for the first time. New ReplicaSets (rollouts), and sets that
only grow or shrink, are none.
Why it matters: a pod that is deleted, evicted or lost comes back under another name with no restart counted; where no
events are collected, this is all that is left of it.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

_KNOWN_S = 300
_TOGETHER_S = 120
# Drains and reboots that were planned replace pods as well.
_SCORE = 3.3


def _lives(frames: Frames) -> pl.LazyFrame:
    """(set, pod, first, last, every): when each pod of a ReplicaSet was seen, by its own records."""
    own = ~pl.col("metric").str.contains(r"^(?:kube_|DCGM_|up$|scrape_)")
    samples = pl.col("samples")
    metrics = (
        frames["metric_series"]
        .filter(pl.col("pod") != "", own, samples > 1)
        .with_columns(every=((pl.col("last") - pl.col("first")) / (samples - 1)).dt.cast_time_unit("ns"))
        .select("pod", "first", "last", "every")
    )
    records = (
        pl.concat([frames[name].filter(pl.col("pod") != "").select("pod", "time") for name in ("logs", "spans")])
        .with_columns(pl.col("time").dt.truncate("15s"))
        .unique()
        .sort("pod", "time")
        .group_by("pod")
        .agg(
            pl.col("time").min().alias("first"),
            pl.col("time").max().alias("last"),
            pl.col("time").diff().quantile(0.9).alias("every"),
        )
    )
    return (
        pl.concat([metrics, records], how="diagonal_relaxed")
        .group_by("pod")
        .agg(pl.col("first").min(), pl.col("last").max(), pl.col("every").min())
        .with_columns(set=names.replica_set("pod"))
        .filter(pl.col("set") != "")
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Replaced pods whose successor appeared in the window; onset is the last word of the one that went."""
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=_KNOWN_S)
    lives = _lives(frames)
    silent = frames.end - pl.col("last") > pl.max_horizontal(3 * pl.col("every"), pl.duration(seconds=60))
    gone = lives.filter(silent, pl.col("last") - pl.col("first") >= pl.duration(seconds=_KNOWN_S)).select(
        "set", "last", old="pod"
    )
    # The set itself is older than its newcomer, or it is a rollout.
    began = lives.group_by("set").agg(pl.col("first").min().alias("began"))
    fresh = (
        lives.join(began, on="set")
        .filter(pl.col("first") > known, pl.col("first") > pl.col("began") + pl.duration(seconds=_KNOWN_S))
        .select("set", "first", new="pod")
    )
    apart = (pl.col("first") - pl.col("last")).dt.total_seconds()
    pairs = (
        gone.join(fresh, on="set")
        .filter(apart.abs() <= _TOGETHER_S)
        .sort("old", "first", "new")
        .unique("old", keep="first", maintain_order=True)
    )
    facts = pairs.select(
        time=pl.max_horizontal("first", "last"),
        onset="last",
        kind=pl.lit("pod.replaced"),
        entity_type=pl.lit("pod"),
        entity="old",
        score=pl.lit(_SCORE),
        direction=pl.lit(-1),
        explanation=pl.format("{} went away and {} took its place", "old", "new"),
        evidence=evidence_of(successor="new"),
    )
    return sessions(facts, frames)


RULE = Rule("pod_replaced", "kubernetes", ("metric_series", "logs", "spans"), detect)
