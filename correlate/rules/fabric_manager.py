"""Fabric Manager that does not run or does not fit, and what betrays it.

Signal: node.fabric_manager on a node; node.torn_down on it, as context.
Condition: Fabric Manager's own line that it gives up or lost a GPU; systemd's that its unit failed; a driver's that
NVLinks were not found at start; or Xid 45 (channels torn down) alone on two GPUs or more of a node within a minute,
with no other Xid or SXid on the node around it. The last is context: a job that is killed tears its channels down, too.
Why it matters: without it every process on a node with NVSwitches fails to start its GPUs, and no device reports an
error of its own. A lone Xid 45 is never a root; what is left to suspect is the fabric.
Source: https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/ and, for Xid 45,
https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules import kernel_sxid, kernel_xid
from correlate.sessions import evidence_of, sessions

GIVES_UP = r"aborting fabric manager|don't match with any supported system topology"
LOST_GPU = r"failed to find the GPU handle \d+ in the multicast team request"
# What systemd says of its unit; that it was stopped is what an upgrade does.
NOT_RUNNING = (
    r"nvidia-fabricmanager\.service: (?:Main process exited, code=(?:exited, status=[1-9]|killed|dumped)|Failed with)"
    r"|Failed to start .*(?:nvidia-fabricmanager|NVIDIA fabric manager)"
)
NO_LINKS = r"knvlink\w+: .*(?:Failed to update Rx Detect|postRxDetLinkMask failed)"

_LINES = (
    (GIVES_UP, 9.0, "topology_mismatch"),
    (NOT_RUNNING, 8.5, "not_running"),
    (LOST_GPU, 7.0, "gpu_handle_missing"),
    (NO_LINKS, 5.0, "no_links"),
)
_TORN_DOWN = 45
_AROUND_S = 300
_TOGETHER = "60s"
_MIN_GPUS = 2
# Context, because a job that ends does the same: beside other symptoms of the node it tells where to look.
_TORN_DOWN_SCORE = 3.0


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel and Fabric Manager lines -> `time, node, reason, score, body`."""
    body = pl.col("body")
    reason, score = pl.lit(""), pl.lit(0.0)
    for pattern, rated, name in reversed(_LINES):
        reason = pl.when(body.str.contains(pattern)).then(pl.lit(name)).otherwise(reason)
        score = pl.when(body.str.contains(pattern)).then(rated).otherwise(score)
    return (
        lines.filter(body.str.contains("fabric manager|fabricmanager|supported system topology|multicast team|knvlink"))
        .with_columns(reason=reason, score=score)
        .filter(pl.col("reason") != "")
        .select("time", "node", "reason", "score", "body")
    )


def _torn_down(frames: Frames) -> pl.LazyFrame:
    """Minutes in which several GPUs of a node lost their channels and nothing says why."""
    xids = kernel_xid.parse(frames["kernel_logs"])
    alone = xids.filter(pl.col("code") == _TORN_DOWN, pl.col("caused_by").is_null())
    reasons = pl.concat(
        [
            xids.filter(pl.col("code") != _TORN_DOWN).select("node", reason_at="time"),
            kernel_sxid.parse(frames["kernel_logs"]).select("node", reason_at="time"),
        ]
    ).sort("reason_at")
    near = alone.sort("time").join_asof(
        reasons, left_on="time", right_on="reason_at", by="node", strategy="nearest",
        tolerance=f"{_AROUND_S}s", check_sortedness=False,
    )  # fmt: skip
    return (
        near.filter(pl.col("reason_at").is_null())
        .group_by("node", pl.col("time").dt.truncate(_TOGETHER).alias("minute"))
        .agg(pl.col("time").max(), pl.col("bdf").n_unique().alias("gpus"))
        .filter(pl.col("gpus") >= _MIN_GPUS)
        .select(
            "time",
            "node",
            reason=pl.lit("torn_down"),
            score=pl.lit(_TORN_DOWN_SCORE),
            body=pl.format("Xid 45 alone on {} GPUs", "gpus"),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Trouble of the fabric seen in the window."""
    rows = pl.concat([parse(frames["kernel_logs"]), _torn_down(frames)])
    facts = rows.select(
        "time",
        "score",
        kind=pl.when(pl.col("reason") == "torn_down")
        .then(pl.lit("node.torn_down"))
        .otherwise(pl.lit("node.fabric_manager")),
        entity_type=pl.lit("node"),
        entity="node",
        explanation=pl.format("Fabric Manager of {}: {}", "node", pl.col("body").str.slice(0, 160)),
        evidence=evidence_of(reason="reason", node="node", line=pl.col("body").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("fabric_manager", "gpu", ("kernel_logs",), detect)
