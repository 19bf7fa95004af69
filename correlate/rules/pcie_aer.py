"""PCIe errors, by the kernel's advanced error reporting.

Signal: gpu.pcie on a GPU that is known by its address, else node.pcie on the node.
Condition: an uncorrectable error; or thirty corrected ones of a device within ten minutes, because a healthy link has
some. The port that speaks may sit above the device that failed, so the offender counts where the line names one.
Why it matters: a link that corrects thousands of errors is slow without a symptom of its own, and one that no longer
can loses its device: GPUs that fall off the bus often announce it here.
Source: https://docs.kernel.org/PCI/pcieaer-howto.html
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_ADDRESS = r"[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}"
LINE = (
    rf"(?P<bdf>{_ADDRESS})\.[0-9a-fA-F]: (?:AER: (?P<multiple>Multiple )?"
    r"(?P<told>(?:Correctable|Corrected|Uncorrectable|Uncorrected)(?: \((?:Fatal|Non-Fatal)\))?) error (?:message )?"
    r"received(?: from (?P<offender>[0-9a-fA-F:]+)\.[0-9a-fA-F]|: id=(?P<id>[0-9a-f]+))?"
    r"|PCIe Bus Error: severity=(?P<severity>[^,]+), type=(?P<layer>[^,]+),)"
)
MANY = 30
"""Corrected errors of a device within ten minutes that are worth a report."""

_COUNTING = "600s"
_FATAL, _UNCORRECTED, _CORRECTED = 8.0, 7.0, 4.0


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> `time, node, bdf, offender, severity, layer, multiple, offender_id, body` of AER lines.

    `offender` is the device that the line blames, else the one that speaks.
    """
    found = pl.col("body").str.extract_groups(LINE)
    bdf = found.struct.field("bdf").str.to_lowercase()
    return (
        lines.filter(pl.col("body").str.contains(r"AER: |PCIe Bus Error: "))
        .with_columns(
            bdf=bdf,
            offender=pl.coalesce(found.struct.field("offender").str.to_lowercase(), bdf),
            severity=pl.coalesce(found.struct.field("told"), found.struct.field("severity")),
            layer=found.struct.field("layer").fill_null(""),
            multiple=found.struct.field("multiple").is_not_null(),
            offender_id=found.struct.field("id").fill_null(""),
        )
        .filter(pl.col("severity").is_not_null())
        .select("time", "node", "bdf", "offender", "severity", "layer", "multiple", "offender_id", "body")
    )


def _gpus(frames: Frames) -> pl.LazyFrame:
    """(node, offender): addresses of GPUs, as metrics of them state."""
    return (
        frames["metric_series"]
        .filter(pl.col("gpu_bdf") != "", pl.col("node") != "")
        .select("node", offender="gpu_bdf", known=pl.lit(value=True))
        .unique()
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """PCIe errors seen in the window."""
    bad = pl.col("severity").str.starts_with("Unc")
    fatal = pl.col("severity").str.contains("(Fatal)", literal=True)
    near = pl.col("time").dt.truncate(_COUNTING)
    rows = (
        parse(frames["kernel_logs"])
        .with_columns(many=pl.len().over("node", "offender", bad, near))
        .filter(bad | (pl.col("many") >= MANY))
        .join(_gpus(frames), on=["node", "offender"], how="left")
    )
    gpu = pl.col("known").fill_null(value=False)
    facts = rows.select(
        "time",
        kind=pl.when(gpu).then(pl.lit("gpu.pcie")).otherwise(pl.lit("node.pcie")),
        entity_type=pl.when(gpu).then(pl.lit("gpu")).otherwise(pl.lit("node")),
        entity=pl.when(gpu).then(pl.format("{}/{}", "node", "offender")).otherwise("node"),
        score=pl.when(fatal).then(_FATAL).when(bad).then(_UNCORRECTED).otherwise(_CORRECTED),
        direction=pl.lit(1),
        explanation=pl.format("PCIe device {} of {}: {} error", "offender", "node", pl.col("severity")),
        evidence=evidence_of(node="node", bdf="offender", layer="layer", line=pl.col("body").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("pcie_aer", "kubernetes", ("kernel_logs", "metric_series"), detect)
