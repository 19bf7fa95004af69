"""What telemetry says together: one row per combination of names seen on the same record, with when.

The topology is read off these rows. Names come from resource attributes, from metric labels and from the
objects of Kubernetes events; a name that a source does not state is ''.
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.signals import TIME

READS = ("spans", "logs", "kernel_logs", "k8s_events", "metric_series")

NAMES = (
    "zone",
    "node",
    "gpu",
    "gpu_bdf",
    "gpu_index",
    "pod",
    "pod_uid",
    "namespace",
    "owner",
    "owner_kind",
    "owner_type",
    "replicaset",
    "service",
    "version",
    "model",
)
"""Name columns of a sighting; `source` says which kind of record it was, `first` and `last` when."""

# Exporters report on others: their own service name says nothing about the objects in the labels.
EXPORTED = r"^(kube_|container_|DCGM_|node_|k8s\.|up$|scrape_)"


def sightings(frames: Frames) -> pl.LazyFrame:
    """All sightings in the frames, columns NAMES plus source, first and last."""
    parts = [_metrics(frames), _spans(frames), _logs(frames), _events(frames), _kernel(frames)]
    return _with_owner(pl.concat([_filled(part) for part in parts]))


def _filled(part: pl.LazyFrame) -> pl.LazyFrame:
    have = part.collect_schema().names()
    stated = [n for n in NAMES if n not in ("owner_type", "replicaset")]
    return part.select(
        "source",
        pl.col("first").cast(TIME),
        pl.col("last").cast(TIME),
        *(pl.col(n).cast(pl.String).fill_null("") if n in have else pl.lit("").alias(n) for n in stated),
    )


def _metrics(frames: Frames) -> pl.LazyFrame:
    exported = pl.col("metric").str.contains(EXPORTED)
    by = (
        "exported",
        "node",
        "zone",
        "gpu",
        "gpu_bdf",
        "gpu_index",
        "pod",
        "namespace",
        "workload",
        "workload_kind",
        "service",
        "version",
        "model",
    )
    return (
        frames["metric_series"]
        .with_columns(
            exported=exported,
            service=pl.when(exported).then(pl.lit("")).otherwise("service"),
            # Evaluators measure models of others; their own pod and service do not serve what they score.
            model=pl.when(pl.col("metric").str.contains("(?i)eval|quality|drift|score"))
            .then(pl.lit(""))
            .otherwise("model"),
        )
        .group_by(by)
        .agg(pl.col("first").min(), pl.col("last").max())
        .with_columns(pl.lit("metric").alias("source"))
        .rename({"workload": "owner", "workload_kind": "owner_kind"})
    )


def _spans(frames: Frames) -> pl.LazyFrame:
    served = pl.when(pl.col("kind") == "Server").then("model").otherwise(pl.lit(""))
    return (
        frames["spans"]
        .with_columns(served.alias("model"))
        .group_by("service", "version", "pod", "node", "workload", "model")
        .agg(pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
        .with_columns(pl.lit("span").alias("source"))
        .rename({"workload": "owner"})
    )


def _logs(frames: Frames) -> pl.LazyFrame:
    return (
        frames["logs"]
        .group_by("service", "pod", "node", "workload")
        .agg(pl.col("time").min().alias("first"), pl.col("time").max().alias("last"))
        .with_columns(pl.lit("log").alias("source"))
        .rename({"workload": "owner"})
    )


def _events(frames: Frames) -> pl.LazyFrame:
    events = frames["k8s_events"]
    kind, reason = pl.col("object_kind"), pl.col("reason")
    assigned = pl.col("message").str.extract(r"^Successfully assigned \S+ to (\S+)", 1).fill_null("")
    created = pl.col("message").str.extract(r"^Created pod: (\S+)", 1).fill_null("")
    told = events.filter(
        kind.is_in(["Pod", "Node", "ReplicaSet", "Job", "StatefulSet", "DaemonSet", "Deployment"])
    ).select(
        "namespace",
        first="time",
        last="time",
        source=pl.lit("event"),
        pod=pl.when(kind == "Pod")
        .then("object")
        .when(reason == "SuccessfulCreate")
        .then(created)
        .otherwise(pl.lit("")),
        pod_uid=pl.when(kind == "Pod").then("object_uid").otherwise(pl.lit("")),
        # The reporting host of a pod's event is its node; a controller's event has no host.
        node=pl.when(kind == "Node")
        .then("object")
        .when(reason == "Scheduled")
        .then(assigned)
        .when(kind == "Pod")
        .then("node")
        .otherwise(pl.lit("")),
        owner=pl.when(kind.is_in(["Pod", "Node"])).then(pl.lit("")).otherwise("object"),
        owner_kind=pl.when(kind.is_in(["Pod", "Node"])).then(pl.lit("")).otherwise(kind),
    )
    by = ("source", "pod", "pod_uid", "node", "namespace", "owner", "owner_kind")
    return told.group_by(by).agg(pl.col("first").min(), pl.col("last").max())


def _kernel(frames: Frames) -> pl.LazyFrame:
    """`NVRM: GPU at PCI:0000:9b:00: GPU-<uuid>`: printed once per GPU and driver load, the only map in logs."""
    return (
        frames["kernel_logs"]
        .filter(pl.col("body").str.contains("NVRM: GPU at PCI:", literal=True))
        .select(
            "node",
            source=pl.lit("kernel"),
            first="time",
            last="time",
            gpu=pl.col("body").str.extract(r"(GPU-[0-9a-f]{8}-[0-9a-f-]{27})", 1),
            gpu_bdf=names.bdf(pl.col("body").str.extract(r"GPU at PCI:([0-9a-fA-F:]+)", 1)),
        )
    )


def _with_owner(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Owners by what telemetry states about a pod anywhere, else by the pod's name; ReplicaSets become Deployments."""
    rs = pl.col("owner_kind") == "ReplicaSet"
    plain = rows.with_columns(
        replicaset=pl.when(rs).then("owner").otherwise(names.replica_set("pod")),
        owner=pl.when(rs).then(names.deployment_of("owner")).otherwise("owner"),
        owner_kind=pl.when(rs).then(pl.lit("Deployment")).otherwise("owner_kind"),
    )
    stated = (
        plain.filter(pl.col("pod") != "", pl.col("owner") != "")
        .sort(pl.col("owner_kind") == "", "owner")
        .unique(subset="pod", keep="first", maintain_order=True)
        .select("pod", stated="owner", stated_kind="owner_kind")
    )
    joined = plain.join(stated, on="pod", how="left")
    owner = (
        pl.when(pl.col("owner") != "")
        .then("owner")
        .when(pl.col("pod") == "")
        .then(pl.lit(""))
        .otherwise(pl.coalesce("stated", names.owner("pod")))
    )
    kind = pl.when(pl.col("owner_kind") != "").then("owner_kind").otherwise(pl.col("stated_kind").fill_null(""))
    by_name = pl.when(pl.col("pod") != "").then(names.owner_type("pod")).otherwise(pl.lit("workload"))
    return (
        joined.with_columns(owner=owner, owner_kind=kind)
        .with_columns(
            owner_type=pl.when(pl.col("owner_kind") == "Job")
            .then(pl.lit("job"))
            .when(pl.col("owner_kind") != "")
            .then(pl.lit("workload"))
            .otherwise(by_name)
        )
        .select("source", *NAMES, "first", "last")
    )
