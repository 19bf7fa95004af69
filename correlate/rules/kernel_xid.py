"""GPU driver errors (Xid) in kernel lines.

Signal: xid.<code> on a GPU, one per code and episode.
Condition: a line `Xid (PCI:0000:9b:00): 79, ...` or its MIG form `Xid (PCI:0000:9b:00 GPU-I:05): ...`, or a GPU
said to have fallen off the bus. Score by the `xid` catalogue; 4 for a code it does not know. Xid 45, channels
torn down, is dropped where another Xid of the GPU came just before: it is that one's echo. The onset is the
line's time less the timeout it states.
Why it matters: it is the driver's own statement of what failed, on which GPU, and what to do.
Source: https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

XID = (
    r"(?:^|[^A-Za-z])Xid \((?:PCI:)?(?P<bdf>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-9a-fA-F])?"
    r"(?: GPU-I:(?P<gi>\d+))?(?: GPU-CI:(?P<ci>\d+))?\): (?P<code>\d+)(?:, (?P<text>.*))?$"
)
# `NVRM: GPU 0000:29:00.0: GPU has fallen off the bus.` accompanies Xid 79, or comes alone with old drivers.
OFF_BUS = (
    r"NVRM: (?:The NVIDIA )?GPU (?P<bdf>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})\.[0-9a-fA-F]"
    r"(?:: GPU has fallen off the bus\.?)?$"
)

BURST_S = 300.0
"""Repeats of one code on one GPU within this many seconds are one episode."""
_CAUSE_S = 5.0
# Class `fatal` in the catalogue, but the text says the link only lost bits (Xid 144-150 on NVLink 5).
_NONFATAL = 3.0


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> `time, node, bdf, mig, code, text, caused_by, timeout_s`; lines of other kinds are dropped."""
    found = pl.col("body").str.extract_groups(XID)
    off = pl.col("body").str.extract(OFF_BUS, 1)
    text = found.struct.field("text").fill_null("")
    return (
        lines.filter(pl.col("body").str.contains(r"Xid \(|NVRM: (?:The NVIDIA )?GPU [0-9a-fA-F]"))
        .with_columns(
            bdf=names.bdf(pl.coalesce(found.struct.field("bdf"), off)),
            mig=found.struct.field("gi").fill_null(""),
            code=pl.coalesce(found.struct.field("code"), pl.when(off.is_not_null()).then(pl.lit("79"))).cast(
                pl.Int64, strict=False
            ),
            text=text,
            caused_by=text.str.extract(r"caused by previous Xid (\d+)", 1).cast(pl.Int64),
            timeout_s=text.str.extract(r"Timeout after (\d+)s of waiting", 1).cast(pl.Float64),
        )
        .filter(pl.col("bdf").is_not_null(), pl.col("code").is_not_null())
        .select("time", "node", "bdf", "mig", "code", "text", "caused_by", "timeout_s")
    )


def _without_followers(events: pl.LazyFrame) -> pl.LazyFrame:
    """Drop Xid 45 (channels torn down) where another Xid on the same GPU came before it: it is that one's echo."""
    others = events.filter(~pl.col("code").is_in([45, 154])).select("node", "bdf", cause_at="time").sort("cause_at")
    marked = events.sort("time").join_asof(
        others, left_on="time", right_on="cause_at", by=["node", "bdf"], strategy="backward",
        tolerance=f"{round(_CAUSE_S * 1e9)}ns", check_sortedness=False,
    )  # fmt: skip
    echo = (pl.col("code") == 45) & (pl.col("cause_at").is_not_null() | pl.col("caused_by").is_not_null())
    return marked.filter(~echo)


def detect(frames: Frames) -> pl.LazyFrame:
    """Xids seen in the window. Onset is the line's time less the timeout it states (GSP, Xid 119)."""
    facts = (
        catalog.table("xid")
        .lazy()
        .select("code", "name", "description", "action", rated=pl.col("score").cast(pl.Float64))
    )
    nonfatal = pl.col("text").str.contains(r"(?i)\bnon-?fatal\b") & pl.col("code").is_between(144, 150)
    rows = (
        _without_followers(parse(frames["kernel_logs"]))
        .join(facts, on="code", how="left")
        .with_columns(
            score=pl.when(nonfatal).then(_NONFATAL).otherwise(pl.col("rated").fill_null(4.0)),
            device=pl.format("{}/{}", "node", "bdf"),
        )
        .select(
            "time",
            "score",
            kind=pl.format("xid.{}", "code"),
            entity_type=pl.lit("gpu"),
            entity="device",
            onset=pl.col("time") - pl.duration(milliseconds=(pl.col("timeout_s").fill_null(0.0) * 1000).cast(pl.Int64)),
            explanation=pl.format(
                "Xid {} on {}: {}", "code", "device", pl.col("description").fill_null("not documented")
            ),
            evidence=evidence_of(
                line=pl.col("text").str.slice(0, 300),
                node="node",
                bdf="bdf",
                mig="mig",
                action=pl.col("action").fill_null(""),
            ),
        )
    )
    return sessions(rows, frames, gap_s=BURST_S)


RULE = Rule("kernel_xid", "gpu", ("kernel_logs",), detect)
