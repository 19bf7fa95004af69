"""Whose a metric series is: the most specific entity its labels name."""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.relations import call_ends


def job_or_workload() -> tuple[pl.Expr, pl.Expr]:
    """(entity_type, entity) of the owner that a series' `workload`, `workload_kind` and `pod` columns name."""
    stated = pl.col("workload") != ""
    replicaset = pl.col("workload_kind") == "ReplicaSet"
    name = (
        pl.when(stated & replicaset)
        .then(names.deployment_of("workload"))
        .when(stated)
        .then("workload")
        .when(pl.col("pod") != "")
        .then(names.owner("pod"))
        .otherwise(pl.lit(""))
    )
    kind = (
        pl.when(pl.col("workload_kind") == "Job")
        .then(pl.lit("job"))
        .when(stated & (pl.col("workload_kind") != ""))
        .then(pl.lit("workload"))
        .otherwise(names.owner_type("pod"))
    )
    return kind, name


def most_specific() -> tuple[pl.Expr, pl.Expr]:
    """(entity_type, entity): gpu, else pod, workload or job, ingress, feature, model, service, node, zone.

    Needs the columns of the `metric_series` frame. Exporters' own service names are left out by the caller.
    """
    owner_type, owner = job_or_workload()
    feature = pl.col("labels").str.json_path_match("$.feature").fill_null("")
    ingress = pl.col("labels").str.json_path_match("$.ingress").fill_null("")
    evaluated = pl.col("metric").str.contains("(?i)eval|quality|drift|score") & (pl.col("model") != "")
    device = pl.when(pl.col("gpu") != "").then("gpu").when((pl.col("node") != "") & (pl.col("gpu_bdf") != "")).then(
        pl.format("{}/{}", "node", "gpu_bdf")
    ).otherwise(pl.lit(""))  # fmt: skip
    _, callee = call_ends()
    ranked = [
        (pl.lit("gpu"), device),
        (pl.lit("feature"), feature),
        (pl.lit("model"), pl.when(evaluated).then("model").otherwise(pl.lit(""))),
        (pl.lit("ingress"), ingress),
        (pl.lit("pod"), pl.col("pod")),
        (owner_type, owner),
        (pl.lit("service"), pl.col("service")),
        # A call measured from outside is about the side that answers.
        (pl.lit("service"), callee),
        (pl.lit("model"), pl.col("model")),
        (pl.lit("node"), pl.col("node")),
        (pl.lit("zone"), pl.col("zone")),
    ]
    # A node's metrics often carry the collector's service name; the node is the subject.
    node_metric = pl.col("metric").str.contains(r"^(k8s\.node\.|node_|kube_node_|system\.)")
    kind, name = pl.lit(""), pl.lit("")
    for entity_type, entity in reversed(ranked):
        kind = pl.when(entity != "").then(entity_type).otherwise(kind)
        name = pl.when(entity != "").then(entity).otherwise(name)
    return (
        pl.when(node_metric & (pl.col("node") != "")).then(pl.lit("node")).otherwise(kind),
        pl.when(node_metric & (pl.col("node") != "")).then("node").otherwise(name),
    )
