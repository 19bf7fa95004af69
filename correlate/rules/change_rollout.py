"""New versions of a workload.

Signal: change.rollout on a workload.
Condition: a ReplicaSet is scaled up from nothing, or an image or a service.version appears on a workload
that has been seen with another one for at least five minutes.
Why it matters: many faults follow a change. A rollout is context until its mechanism fits; whether it is to
blame is the ranker's question.
Source: https://kubernetes.io/docs/concepts/workloads/controllers/deployment/ and, for service.version,
https://opentelemetry.io/docs/specs/semconv/resource/#service
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.identity import job_or_workload
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

# Kubernetes 1.31 writes `Scaled up replica set X from 0 to 1`, older ones `Scaled up replica set X to 1`.
SCALED = r"^Scaled up replica set (\S+)(?: from (\d+))? to (\d+)"
KNOWN_FOR_S = 300
"""A workload must have run another version for this long before a new one counts as a change."""


def _replica_sets(frames: Frames) -> pl.LazyFrame:
    message = pl.col("message")
    scaled = frames["k8s_events"].filter(pl.col("reason") == "ScalingReplicaSet").with_columns(
        replicaset=message.str.extract(SCALED, 1), before=message.str.extract(SCALED, 2).cast(pl.Int64),
    )  # fmt: skip
    # Scaling what already runs is no rollout; an older text does not say, and scale-ups to one are new sets.
    first = (
        pl.when(pl.col("before").is_not_null())
        .then(pl.col("before") == 0)
        .otherwise(message.str.extract(SCALED, 3) == "1")
    )
    return scaled.filter(pl.col("replicaset").is_not_null(), first).select(
        "time",
        workload="object",
        score=pl.lit(5.0),
        words=pl.format("{} rolls out ReplicaSet {}", "object", "replicaset"),
        version="replicaset",
    )


def _sightings(frames: Frames) -> pl.LazyFrame:
    """`workload, what, version, first, last` of service versions and images."""
    owner = pl.when(pl.col("workload") != "").then("workload").otherwise(names.owner("pod"))
    spans = frames["spans"].filter(pl.col("version") != "").select(
        "version", first="time", last="time",
        workload=pl.when(owner != "").then(owner).otherwise("service"), what=pl.lit("version"),
    )  # fmt: skip
    _, series_owner = job_or_workload()
    images = (
        frames["metric_series"]
        .filter(pl.col("image") != "")
        .select("first", "last", version="image", workload=series_owner, what=pl.lit("image"))
    )
    return (
        pl.concat([spans, images], how="diagonal")
        .filter(pl.col("workload") != "")
        .group_by("workload", "what", "version")
        .agg(pl.col("first").min(), pl.col("last").max())
    )


def _versions(frames: Frames) -> pl.LazyFrame:
    seen = _sightings(frames)
    began = seen.group_by("workload", "what").agg(pl.col("first").min().alias("began"))
    fresh = seen.join(began, on=["workload", "what"]).filter(
        pl.col("first") > pl.col("began") + pl.duration(seconds=KNOWN_FOR_S)
    )
    return fresh.select(
        "workload",
        "version",
        time="first",
        score=pl.lit(5.5),
        words=pl.format("{} first runs {} {}", "workload", "what", "version"),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Rollouts seen in the window; the version is in the explanation and the evidence."""
    columns = ("time", "workload", "score", "words", "version")
    rows = pl.concat([_replica_sets(frames).select(columns), _versions(frames).select(columns)])
    facts = rows.select(
        "time", "score",
        kind=pl.lit("change.rollout"),
        entity_type=pl.lit("workload"),
        entity="workload",
        explanation="words",
        evidence=evidence_of(version="version", tag=names.image_tag("version")),
    )  # fmt: skip
    return sessions(facts, frames, gap_s=600.0)


RULE = Rule("change_rollout", "change", ("k8s_events", "spans", "metric_series"), detect)
