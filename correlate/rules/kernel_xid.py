"""GPU driver errors (Xid) in kernel lines.

Signal: xid.<code> on a GPU, one per code and episode.
Condition: a line `Xid (PCI:0000:9b:00): 79, ...` or its MIG form `Xid (PCI:0000:9b:00 GPU-I:05): ...`, or a GPU
said to have fallen off the bus. Score by the `xid` catalogue; 4 for a code it does not know. Xid 45, channels
torn down, is dropped where another Xid of the GPU came just before: it is that one's echo; where it names a
previous Xid that no line told of, that one is reported in its stead. What Xids 144-150 of NVLink 5 mean is decoded
from their words (`nvlink5` catalogue). Xid 154 is advice: its payload is the action, and the last one counts. The
onset is the line's time less the timeout it states.
Why it matters: it is the driver's own statement of what failed, on which GPU, and what to do.
Source: https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, names, nvlink5
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

XID = (
    r"(?:^|[^A-Za-z])Xid \((?:PCI:)?(?P<bdf>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})(?:\.[0-9a-fA-F])?"
    r"(?: GPU-I:(?P<gi>\d+))?(?: GPU-CI:(?P<ci>\d+))?\): (?P<code>\d+)"
    r"(?:, pid='?(?P<pid>[^',]*)'?)?(?:, name=(?P<process>[^,]*))?(?:, (?P<text>.*))?$"
)
# `NVRM: GPU 0000:29:00.0: GPU has fallen off the bus.` accompanies Xid 79, or comes alone with old drivers.
OFF_BUS = (
    r"NVRM: (?:The NVIDIA )?GPU (?P<bdf>[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2})\.[0-9a-fA-F]"
    r"(?:: GPU has fallen off the bus\.?)?$"
)

BURST_S = 300.0
"""Repeats of one code on one GPU within this many seconds are one episode."""
_CAUSE_S = 5.0
# An Xid known only because a later one named it.
_NAMED_ONLY = 0.9
# Xid 154 repeats while the driver makes up its mind; 0x0 is the all-clear.
_ADVICE = 154
RECOVERY = r"recovery action changed from 0x[0-9a-f]+ \([^)]*\) to 0x[0-9a-f]+ \(([^)]*)\)"


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> the columns of `PARSED`; lines of other kinds are dropped.

    `pid` and `process` are the host's, null where the line does not know them; for Xid 119 they are the monitoring
    tool's. `caused_by` is the Xid that the line names as its cause, `timeout_s` the wait it states, `recovery` the
    action that Xid 154 asks for.
    """
    found = pl.col("body").str.extract_groups(XID)
    off = pl.col("body").str.extract(OFF_BUS, 1)
    text = found.struct.field("text").fill_null("")
    known = found.struct.field("process").replace("<unknown>", None)
    return (
        lines.filter(pl.col("body").str.contains(r"Xid \(|NVRM: (?:The NVIDIA )?GPU [0-9a-fA-F]"))
        .with_columns(
            bdf=names.bdf(pl.coalesce(found.struct.field("bdf"), off)),
            mig=found.struct.field("gi").fill_null(""),
            code=pl.coalesce(found.struct.field("code"), pl.when(off.is_not_null()).then(pl.lit("79"))).cast(
                pl.Int64, strict=False
            ),
            pid=found.struct.field("pid").cast(pl.Int64, strict=False),
            process=known,
            text=text,
            caused_by=text.str.extract(r"caused by previous Xid (\d+)", 1).cast(pl.Int64),
            timeout_s=text.str.extract(r"Timeout after (\d+)s of waiting", 1).cast(pl.Float64),
            recovery=text.str.extract(RECOVERY, 1).fill_null(""),
        )
        .filter(pl.col("bdf").is_not_null(), pl.col("code").is_not_null())
        .select(PARSED)
    )


PARSED = ("time", "node", "bdf", "mig", "code", "pid", "process", "text", "caused_by", "timeout_s", "recovery")


def _without_followers(events: pl.LazyFrame) -> pl.LazyFrame:
    """Drop Xid 45 (channels torn down) where another Xid on the same GPU came before it: it is that one's echo."""
    others = events.filter(~pl.col("code").is_in([45, _ADVICE])).select("node", "bdf", cause_at="time").sort("cause_at")
    marked = events.sort("time").join_asof(
        others, left_on="time", right_on="cause_at", by=["node", "bdf"], strategy="backward",
        tolerance=f"{round(_CAUSE_S * 1e9)}ns", check_sortedness=False,
    )  # fmt: skip
    echo = (pl.col("code") == 45) & (pl.col("cause_at").is_not_null() | pl.col("caused_by").is_not_null())
    return marked.filter(~echo).select(PARSED)


def _named_only(events: pl.LazyFrame) -> pl.LazyFrame:
    """Xids that later lines name as their cause and that no line of their own told of in the minutes before."""
    told = events.select("node", "bdf", "code", told_at="time").sort("told_at")
    named = (
        events.filter(pl.col("caused_by").is_not_null())
        .sort("time", "text")
        .unique(["node", "bdf", "caused_by"], keep="first", maintain_order=True)
        .with_columns(code="caused_by", text=pl.format("named by Xid {}: {}", "code", "text"))
    )
    marked = named.sort("time").join_asof(
        told, left_on="time", right_on="told_at", by=["node", "bdf", "code"], strategy="backward",
        tolerance=f"{round(BURST_S * 1e9)}ns", check_sortedness=False,
    )  # fmt: skip
    return marked.filter(pl.col("told_at").is_null()).select(PARSED)


def _last_advice(events: pl.LazyFrame) -> pl.LazyFrame:
    """Of Xid 154 the last of those that follow each other, unless it is the all-clear."""
    soon = (pl.col("time").shift(-1).over("node", "bdf", "code") - pl.col("time")) <= pl.duration(seconds=_CAUSE_S)
    advice = pl.col("code") == _ADVICE
    superseded = advice & soon.fill_null(value=False)
    return events.sort("time", "text").filter(~superseded).filter(~(advice & (pl.col("recovery") == "None")))


def detect(frames: Frames) -> pl.LazyFrame:
    """Xids seen in the window. Onset is the line's time less the timeout it states (GSP, Xid 119)."""
    facts = (
        catalog.table("xid")
        .lazy()
        .select("code", "name", "description", "action", rated=pl.col("score").cast(pl.Float64))
    )
    parsed = parse(frames["kernel_logs"])
    events = pl.concat(
        [
            _last_advice(_without_followers(parsed)).with_columns(sure=1.0),
            _named_only(parsed).with_columns(sure=_NAMED_ONLY),
        ]
    )
    rows = (
        nvlink5.decoded(events)
        .join(facts, on="code", how="left")
        .with_columns(
            score=pl.coalesce("link_score", "rated", pl.lit(4.0)) * pl.col("sure"),
            device=pl.format("{}/{}", "node", "bdf"),
            advice=pl.when(pl.col("recovery") != "")
            .then("recovery")
            .otherwise(pl.coalesce("link_action", "action", pl.lit(""))),
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
                process=pl.col("process").fill_null(""),
                link="link",
                effect="effect",
                action="advice",
            ),
        )
    )
    return sessions(rows, frames, gap_s=BURST_S)


RULE = Rule("kernel_xid", "gpu", ("kernel_logs",), detect)
