"""Network adapters that NCCL says failed under it.

Signal: nic.link on the node that runs the process, or nccl.network on the pod where no node is known.
Condition: an NCCL line that reports an asynchronous event of an InfiniBand or RoCE device (`Got async event : port
error`); port and link events, not those of one queue pair.
Why it matters: the line names the adapter that failed, on the side where it failed; the peers only see that
nobody answers.
Source: https://docs.nvidia.com/deeplearning/nccl/user-guide/docs/troubleshooting.html and, for the events,
https://man7.org/linux/man-pages/man3/ibv_get_async_event.3.html
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

WARN = r"^(?P<host>[^:\s]+):(?P<pid>\d+):(?P<tid>\d+) \[(?P<device>\d+)\] (?P<file>\S+):\d+ NCCL WARN (?P<message>.*)$"
PEER = r"(?:to|peer) (?P<ip>\d+\.\d+\.\d+\.\d+)<(?P<port>\d+)>"
STATUS = r"(?:with error |status=)(\d+)"
EVENT = r"NET/IB : (?P<adapter>[\w.-]+?):\d+ Got (?:non-fatal )?async event : (?P<event>[\w ]+)"

_BROKEN = r"(?i)port error|device fatal|link|lid change|port down"


def parse(logs: pl.LazyFrame) -> pl.LazyFrame:
    """NCCL warnings -> who says it, where, and of which peer or adapter; lines of other kinds are dropped.

    `host` is the pod's name inside Kubernetes; `device` is the process's CUDA index and no rank.
    """
    warn = pl.col("body").str.extract_groups(WARN)
    peer = pl.col("body").str.extract_groups(PEER)
    event = pl.col("body").str.extract_groups(EVENT)
    return (
        logs.filter(pl.col("body").str.contains("NCCL WARN", literal=True))
        .with_columns(
            host=warn.struct.field("host"),
            pid=warn.struct.field("pid").cast(pl.Int64),
            tid=warn.struct.field("tid").cast(pl.Int64),
            device=warn.struct.field("device").cast(pl.Int64),
            file=warn.struct.field("file"),
            peer_ip=peer.struct.field("ip"),
            peer_port=peer.struct.field("port").cast(pl.Int64),
            status=pl.col("body").str.extract(STATUS, 1).cast(pl.Int64),
            adapter=event.struct.field("adapter"),
            event=event.struct.field("event").str.strip_chars(),
        )
        .filter(pl.col("host").is_not_null())
        .select(
            "time", "pod", "node", "host", "pid", "tid", "device", "file", "peer_ip", "peer_port", "status", "adapter",
            "event", "body",
        )
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Failed adapters seen in the window."""
    rows = parse(frames["logs"]).filter(pl.col("event").str.contains(_BROKEN))
    node = pl.col("node") != ""
    pod = pl.when(pl.col("pod") != "").then("pod").otherwise("host")
    facts = rows.select(
        "time",
        kind=pl.when(node).then(pl.lit("nic.link")).otherwise(pl.lit("nccl.network")),
        entity_type=pl.when(node).then(pl.lit("node")).otherwise(pl.lit("pod")),
        entity=pl.when(node).then("node").otherwise(pod),
        score=pl.lit(7.0),
        explanation=pl.format("{} lost network adapter {}: {}", pod, "adapter", "event"),
        evidence=evidence_of(adapter="adapter", event="event", pod=pod, line=pl.col("body").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("nccl_ib", "log", ("logs",), detect)
