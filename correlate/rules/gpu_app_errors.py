"""GPU faults as the processes that use them report them.

Signal: app.cuda_oom, app.cuda_ecc, app.cuda_error, app.cuda_init, app.version_mismatch, app.engine_dead or app.weights
on a pod, or on a service where no pod is named.
Condition: a log line of an application that fits the `app_lines` catalogue.
Why it matters: a process says why it ends before Kubernetes says that it did. Most of these are consequences of a
fault below them (an ECC error is the GPU's, a dead engine is whatever killed it), running out of GPU memory and
libraries that do not fit the driver are causes of their own.
Source: https://docs.nvidia.com/cuda/cuda-runtime-api/group__CUDART__TYPES.html and
https://docs.pytorch.org/docs/stable/notes/cuda.html
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_QUIET_S = 900.0
# A process that catches the error and goes on has no fault.
HANDLED = r"(?i)\b(?:caught|recovered|handled|retrying with|falling back)\b"


def parse(logs: pl.LazyFrame) -> pl.LazyFrame:
    """Log lines -> rows with the `kind, score, text` of the first catalogue pattern that fits, and `asked_gib`."""
    patterns = catalog.table("app_lines").with_columns(pl.col("score").cast(pl.Float64)).with_row_index("rank")
    any_of = "|".join(f"(?:{p})" for p in patterns["pattern"])
    asked = pl.col("body").str.extract(r"Tried to allocate ([\d.]+) ([MG])iB", 1).cast(pl.Float64)
    mega = pl.col("body").str.extract(r"Tried to allocate ([\d.]+) ([MG])iB", 2) == "M"
    return (
        logs.filter(pl.col("body").str.contains(any_of), ~pl.col("body").str.contains(HANDLED))
        .with_row_index("line")
        .join(patterns.lazy(), how="cross")
        .filter(pl.col("body").str.contains(pl.col("pattern")))
        .sort("line", "rank")
        .unique(subset="line", keep="first", maintain_order=True)
        .with_columns(asked_gib=pl.when(mega).then(asked / 1024).otherwise(asked))
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Errors seen in the window, one signal per process and kind."""
    pod = pl.col("pod") != ""
    owner = pl.when(pod).then("pod").otherwise("service")
    facts = parse(frames["logs"]).select(
        "time",
        "kind",
        "score",
        entity_type=pl.when(pod).then(pl.lit("pod")).otherwise(pl.lit("service")),
        entity=owner,
        value="asked_gib",
        explanation=pl.format("{}: {} ({})", owner, "text", pl.col("body").str.strip_chars().str.slice(0, 160)),
        evidence=evidence_of(line=pl.col("body").str.slice(0, 300), node="node", container="container"),
    )
    return sessions(facts, frames, gap_s=_QUIET_S)


RULE = Rule("gpu_app_errors", "log", ("logs",), detect)
