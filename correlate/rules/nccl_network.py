"""NCCL transport errors, which name the peer they could not reach.

Signal: nccl.network on a pod.
Condition: an NCCL line says that a peer could not be connected to, closed its end or vanished. The peer is the
suspect, not the rank that complains: kube_pod_info says which pod has its address; without it the complaining
pod is reported, a point lower.
Why it matters: every rank but the failed one complains.
Source: https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

PEER = r"NCCL WARN .*?(?:Connect to|connect to peer|from peer|closed by remote peer) (\d+\.\d+\.\d+\.\d+)"
_GONE = r"remote process exited or there was a network error|unhandled system error|Connection reset by peer"


def detect(frames: Frames) -> pl.LazyFrame:
    """Unreachable peers seen in the window."""
    address = (
        frames["metric_series"]
        .filter(pl.col("metric") == "kube_pod_info")
        .select(peer=pl.col("labels").str.json_path_match("$.pod_ip"), peer_pod="pod")
        .drop_nulls()
        .unique(subset="peer", keep="any")
    )
    rows = (
        frames["logs"]
        .filter(
            pl.col("body").str.contains("NCCL", literal=True),
            pl.col("body").str.contains(PEER) | pl.col("body").str.contains(_GONE),
        )
        .with_columns(peer=pl.col("body").str.extract(PEER, 1))
        .join(address, on="peer", how="left")
    )
    named = pl.col("peer_pod").is_not_null()
    facts = rows.select(
        "time",
        kind=pl.lit("nccl.network"),
        entity_type=pl.lit("pod"),
        entity=pl.when(named).then("peer_pod").otherwise("pod"),
        score=pl.when(named).then(5.0).otherwise(4.0),
        explanation=pl.format(
            "{} cannot reach its NCCL peer {}", "pod", pl.coalesce("peer_pod", "peer", pl.lit("(not named)"))
        ),
        evidence=evidence_of(pod="pod", peer=pl.col("peer").fill_null(""), line=pl.col("body").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("nccl_network", "log", ("logs", "metric_series"), detect)
