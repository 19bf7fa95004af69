"""Pods that fail for what they have in common: their workload is the suspect, and they are what it hurt.

An image that cannot be pulled or a container that cannot be configured is written in the pod template. Pods of one
workload that crash alike, on whatever nodes, share their program and its configuration. Ranks of a job stop together
because one of them did, so jobs are left alone.
Source: https://kubernetes.io/docs/concepts/workloads/pods/#pod-templates
"""

from __future__ import annotations

import polars as pl

from correlate.links import entity_key

# Faults of the pod template, and those that are when several pods show them.
_OF_TEMPLATE = ("pod.image_pull", "pod.config_error")
_WHEN_SHARED = ("pod.crash_loop", "pod.oom_killed", "pod.start_failed", "pod.restart")


def rolled_up(
    members: pl.DataFrame, links: pl.DataFrame, edges: pl.DataFrame, *, shared_only: bool = False
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Members and links in which such signals are their workload's.

    With `shared_only` a single pod's are left where they were seen, which is what tells two faults apart.
    """
    owners = (
        edges.filter(pl.col("kind") == "part_of", pl.col("src_type") == "pod", pl.col("dst_type") == "workload")
        .select(entity="src", owner=entity_key("dst_type", "dst"))
        .sort("owner")
        .unique(subset="entity", keep="first", maintain_order=True)
    )
    pods = members.filter(pl.col("entity_type") == "pod").join(owners, on="entity")
    shared = pl.col("kind").is_in(_WHEN_SHARED) & (pl.col("entity").n_unique().over("component", "owner", "kind") > 1)
    of_template = pl.col("kind").is_in(_OF_TEMPLATE) & pl.lit(not shared_only)
    moved = pods.filter(of_template | shared).select("component", "id", "owner")
    piece = pl.col("owner").str.split("\x1f")
    lifted = (
        members.join(moved, on=["component", "id"], how="left", maintain_order="left")
        .with_columns(
            entity_type=pl.coalesce(piece.list.first(), "entity_type"), entity=pl.coalesce(piece.list.last(), "entity")
        )
        .drop("owner")
    )
    ends = moved.select("id", "owner").unique("id")
    relinked = (
        links.join(ends, left_on="cause_id", right_on="id", how="left")
        .join(ends, left_on="effect_id", right_on="id", how="left", suffix="_effect")
        .with_columns(cause=pl.coalesce("owner", "cause"), effect=pl.coalesce("owner_effect", "effect"))
        .drop("owner", "owner_effect")
    )
    return lifted, relinked
