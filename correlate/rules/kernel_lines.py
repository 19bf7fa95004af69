"""Kernel lines that are faults on their own: links, storage, lockups, machine checks, memory.

Signal: the kind that the `kernel_lines` catalogue gives a line, on the node that wrote it or the GPU that it names.
Condition: the line fits a pattern of the catalogue; kinds that only mean something in numbers need their
number of lines within ten minutes.
Why it matters: the kernel sees a failing port, disk or memory module first, and says so once.
Source: https://docs.kernel.org/admin-guide/lockup-watchdogs.html
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_COUNTING = "600s"


def parse(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Kernel lines -> rows with the `kind, score, min_count, text` of the first catalogue pattern that fits."""
    patterns = catalog.table("kernel_lines").with_columns(pl.col("score").cast(pl.Float64)).with_row_index("rank")
    any_of = "|".join(f"(?:{p})" for p in patterns["pattern"])
    return (
        lines.filter(pl.col("body").str.contains(any_of))
        .with_row_index("line")
        .join(patterns.lazy(), how="cross")
        .filter(pl.col("body").str.contains(pl.col("pattern")))
        .sort("line", "rank")
        .unique(subset="line", keep="first", maintain_order=True)
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Faults seen in the window; kinds that only mean something in numbers need `min_count` lines in ten minutes."""
    rows = parse(frames["kernel_logs"])
    repeats = pl.len().over("node", "kind", pl.col("time").dt.truncate(_COUNTING))
    facts = rows.filter(repeats >= pl.col("min_count")).select(
        "time", "kind", "entity_type", "score",
        entity=pl.when(pl.col("entity_type") == "gpu")
        .then(pl.format("{}/{}", "node", names.bdf("body").fill_null("")))
        .otherwise("node"),
        explanation=pl.format("{} on {}: {}", "text", "node", pl.col("body").str.slice(0, 160)),
        evidence=evidence_of(line=pl.col("body").str.slice(0, 300), node="node"),
    )  # fmt: skip
    return sessions(facts, frames)


RULE = Rule("kernel_lines", "kubernetes", ("kernel_logs",), detect)
