"""Training processes whose NCCL watchdog itself stopped.

Signal: nccl.watchdog on a job.
Condition: PyTorch's heartbeat monitor says that the watchdog made no progress; the onset is as long ago as the line
states, else as long as the monitor waits by default (480 s).
Why it matters: a hang inside the driver or in a lock blocks the watchdog as well, so the line that names the
collective is never written, and this one comes eight minutes after the fault.
Source: https://docs.pytorch.org/docs/stable/torch_nccl_environment_variables.html
(TORCH_NCCL_HEARTBEAT_TIMEOUT_SEC)
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

LINE = r"Heartbeat monitor timed out|watchdog (?:thread )?got stuck for \d+ seconds"
STATED = r"got stuck for (\d+) seconds"
DEFAULT_S = 480
_SCORE = 6.0


def parse(logs: pl.LazyFrame) -> pl.LazyFrame:
    """Log lines -> `time, pod, job, waited_s, body` of the monitor's lines."""
    owner = pl.when(pl.col("workload") != "").then("workload").otherwise(names.owner("pod"))
    return logs.filter(pl.col("body").str.contains(LINE)).select(
        "time",
        "pod",
        "body",
        job=owner,
        waited_s=pl.col("body").str.extract(STATED, 1).cast(pl.Int64).fill_null(DEFAULT_S),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Stuck watchdogs seen in the window; onset is when the waiting began."""
    facts = parse(frames["logs"]).select(
        "time",
        onset=pl.col("time") - pl.duration(seconds="waited_s"),
        kind=pl.lit("nccl.watchdog"),
        entity_type=pl.lit("job"),
        entity="job",
        score=pl.lit(_SCORE),
        value=pl.col("waited_s").cast(pl.Float64),
        explanation=pl.format("the NCCL watchdog of {} made no progress for {} s", "job", "waited_s"),
        evidence=evidence_of(pod="pod", line=pl.col("body").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("nccl_heartbeat", "log", ("logs",), detect)
