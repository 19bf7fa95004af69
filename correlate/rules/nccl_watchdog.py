"""Collectives that timed out, by PyTorch's NCCL watchdog.

Signal: nccl.watchdog on a job; train.bad_rank on a pod.
Condition: a watchdog line; its onset is as long ago as the line says the collective ran, which is when the
ranks began to wait. A rank that had completed less work than the job's others is the bad one.
Why it matters: the ranks that complain are the ones that waited, minutes after the fault; the one that did not
come to the collective says nothing.
Source: https://docs.pytorch.org/docs/stable/torch_nccl_environment_variables.html
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

WATCHDOG = (
    r"Rank (?P<rank>\d+)\]\s+Watchdog caught collective operation timeout: "
    r"WorkNCCL\(SeqNum=(?P<seq>\d+), OpType=(?P<op>\w+),"
    r".*?Timeout\(ms\)=(?P<timeout>\d+)\) ran for (?P<ran>\d+) milliseconds"
)
STATUS = r"Rank (?P<rank>\d+)\] .*last enqueued work: (?P<enqueued>\d+), last completed work: (?P<completed>\d+)"


def parse(logs: pl.LazyFrame) -> pl.LazyFrame:
    """Log lines -> `time, pod, workload, rank, seq, op, ran_ms` of watchdog lines."""
    found = pl.col("body").str.extract_groups(WATCHDOG)
    return (
        logs.filter(pl.col("body").str.contains("Watchdog caught collective operation timeout", literal=True))
        .with_columns(
            rank=found.struct.field("rank").cast(pl.Int64),
            seq=found.struct.field("seq").cast(pl.Int64),
            op=found.struct.field("op"),
            ran_ms=found.struct.field("ran").cast(pl.Int64),
        )
        .filter(pl.col("ran_ms").is_not_null())
        .select("time", "pod", "workload", "rank", "seq", "op", "ran_ms")
    )


def _job(rows: pl.LazyFrame) -> pl.LazyFrame:
    stated = pl.col("workload") != ""
    return rows.with_columns(
        job=pl.when(stated).then("workload").otherwise(names.owner("pod")), job_type=pl.lit("job"),
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Timed-out collectives seen in the window, and ranks that were behind the others."""
    rows = _job(parse(frames["logs"]))
    waited = rows.select(
        "time",
        onset=pl.col("time") - pl.duration(milliseconds="ran_ms"),
        kind=pl.lit("nccl.watchdog"),
        entity_type="job_type",
        entity="job",
        score=pl.lit(7.0),
        value=pl.col("ran_ms") / 1000,
        explanation=pl.format("{} timed out after {} s in {}", "op", (pl.col("ran_ms") / 1000).round(1), "job"),
        evidence=evidence_of(pod="pod", rank="rank", sequence="seq"),
    )
    return pl.concat([sessions(waited, frames), sessions(_behind(frames), frames)])


def _behind(frames: Frames) -> pl.LazyFrame:
    """Pods whose rank had completed less than the others of the job when the watchdog spoke."""
    found = pl.col("body").str.extract_groups(STATUS)
    status = _job(
        frames["logs"].filter(pl.col("body").str.contains("last completed work:", literal=True))
    ).with_columns(
        rank=found.struct.field("rank").cast(pl.Int64),
        completed=found.struct.field("completed").cast(pl.Int64),
        near=pl.col("time").dt.truncate("600s"),
    )
    most, ranks = pl.col("completed").max().over("job", "near"), pl.col("rank").n_unique().over("job", "near")
    return status.filter(pl.col("completed") < most, ranks > 1).select(
        "time",
        kind=pl.lit("train.bad_rank"),
        entity_type=pl.lit("pod"),
        entity="pod",
        score=pl.lit(8.0),
        value=pl.col("completed").cast(pl.Float64),
        explanation=pl.format("rank {} of {} was behind the others", "rank", "job"),
        evidence=evidence_of(rank="rank", completed="completed"),
    )


RULE = Rule("nccl_watchdog", "log", ("logs",), detect)
