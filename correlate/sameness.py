"""Entities that are one thing to an operator: a service, the one workload behind it and its only pod.

Evidence about any of them speaks about all, so ranking must not make them compete.
"""

from __future__ import annotations

import polars as pl

from correlate.links import entity_key


def _pairs(edges: pl.DataFrame, src_type: str, dst_type: str) -> pl.DataFrame:
    return (
        edges.filter(pl.col("src_type") == src_type, pl.col("dst_type") == dst_type)
        .select(src=entity_key("src_type", "src"), dst=entity_key("dst_type", "dst"))
        .unique()
    )


def _one_to_one(pairs: pl.DataFrame) -> pl.DataFrame:
    return pairs.filter(pl.len().over("src") == 1, pl.len().over("dst") == 1)


def representatives(edges: pl.DataFrame) -> pl.DataFrame:
    """(key, same): the key of the service (else workload) that an entity is one with; others are absent."""
    pod_workload = _pairs(edges, "pod", "workload")
    workload_service = _pairs(edges, "workload", "service")
    pod_service = pl.concat(
        [
            _pairs(edges, "pod", "service"),
            pod_workload.join(workload_service.rename({"src": "dst", "dst": "service"}), on="dst").select(
                "src", dst="service"
            ),
        ]
    ).unique()
    services = pl.concat([_one_to_one(workload_service), _one_to_one(pod_service)])
    lonely = _one_to_one(pod_workload).filter(~pl.col("src").is_in(services["src"].implode()))
    served = services.select(key="src", same="dst")
    # A lone pod's workload may itself be one with a service.
    workloads = lonely.join(served.rename({"key": "dst"}), on="dst", how="left").select(
        key="src", same=pl.coalesce("same", "dst")
    )
    return pl.concat([served, workloads]).unique(subset="key", keep="first", maintain_order=True).sort("key")


def other_names(same: pl.DataFrame) -> pl.DataFrame:
    """(key, names): for each entity, the bare names of all entities it is one with."""
    members = pl.concat([same, same.select(key="same", same="same").unique()])
    named = members.with_columns(name=pl.col("key").str.split("\x1f").list.last())
    groups = named.group_by("same").agg(names=pl.col("name").unique().sort())
    return members.join(groups, on="same").select("key", "names").unique(subset="key")
