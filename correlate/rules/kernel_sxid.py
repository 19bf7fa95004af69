"""NVSwitch errors (SXid) in kernel and Fabric Manager lines.

Signal: sxid.<code> on a node, one per code and episode; which GPU a switch port serves is not public.
Condition: a line of either format with a code. How bad it is stands in the line (`Fatal`, `Non-fatal`), not in
the code alone; non-fatal ones stay below what is reported, and where the line does not say, the catalogue does.
Why it matters: a fatal NVSwitch error stops every GPU that talks through the switch, and jobs report it as theirs.
Source: https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

SXID = r"nvidia-nvswitch(?P<switch>\d+): SXid \(PCI:(?P<bdf>[0-9a-fA-F:]+)\.[0-9a-fA-F]\): (?P<code>\d+), (?P<text>.*)$"
FABRIC_MANAGER = (
    r"detected NVSwitch (?P<severity>fatal|non-fatal) error (?P<code>\d+) on fid \d+ "
    r"on NVSwitch pci bus id (?P<bdf>[0-9a-fA-F:.]+)"
)
# `SXid (...): 20034, Data {...}` and `..., Severity 1 Engine instance ...` continue the line before.
_CONTINUED = r"^(?:Data \{|Severity \d+ Engine)"

_FATAL, _NONFATAL = 9.0, 2.0


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> `time, node, switch, bdf, code, text, fatal` (null when the line does not say)."""
    kernel = pl.col("body").str.extract_groups(SXID)
    manager = pl.col("body").str.extract_groups(FABRIC_MANAGER)
    word = pl.coalesce(
        kernel.struct.field("text").str.extract(r"^(Fatal|Non-fatal)\b", 1), manager.struct.field("severity")
    ).str.to_lowercase()
    return (
        lines.filter(pl.col("body").str.contains(r"SXid \(PCI:|detected NVSwitch"))
        .with_columns(
            switch=kernel.struct.field("switch").fill_null(""),
            bdf=pl.coalesce(kernel.struct.field("bdf"), manager.struct.field("bdf")).str.to_lowercase(),
            code=pl.coalesce(kernel.struct.field("code"), manager.struct.field("code")).cast(pl.Int64, strict=False),
            text=kernel.struct.field("text").fill_null(""),
            fatal=word == "fatal",
        )
        .filter(pl.col("code").is_not_null(), ~pl.col("text").str.contains(_CONTINUED))
        .select("time", "node", "switch", "bdf", "code", "text", "fatal")
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """SXids seen in the window; non-fatal ones stay below what is reported."""
    facts = catalog.table("sxid").lazy().select("code", "description", "action", rated=pl.col("score").cast(pl.Float64))
    rows = (
        parse(frames["kernel_logs"])
        .join(facts, on="code", how="left")
        .select(
            "time",
            score=pl.when(pl.col("fatal"))
            .then(pl.max_horizontal(pl.col("rated").fill_null(0.0), pl.lit(_FATAL)))
            .when(pl.col("fatal").not_())
            .then(_NONFATAL)
            .otherwise(pl.col("rated").fill_null(3.0)),
            kind=pl.format("sxid.{}", "code"),
            entity_type=pl.lit("node"),
            entity="node",
            explanation=pl.format(
                "SXid {} on {} (NVSwitch {}): {}",
                "code",
                "node",
                "bdf",
                pl.when(pl.col("text") != "").then("text").otherwise(pl.col("description").fill_null("not documented")),
            ),
            evidence=evidence_of(
                node="node", switch="switch", bdf="bdf", line="text", action=pl.col("action").fill_null("")
            ),
        )
    )
    return sessions(rows, frames, gap_s=300.0)


RULE = Rule("kernel_sxid", "gpu", ("kernel_logs",), detect)
