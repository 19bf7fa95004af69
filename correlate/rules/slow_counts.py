"""Rare events that become less rare: restarts and corrected errors over weeks.

Signal: drift.restarts on a workload; drift.errors on a GPU.
Condition: once an hour; the restarts of a workload in the last day are more than Poisson's law allows its own four
weeks (p < 0.01, five at least); a GPU's corrected errors (ECC, row remaps, NVLink and PCIe replays) were above 99 % of
the fleet's and five times its median on each of the last three days, ten at least.
Why it matters: one restart or one corrected bit is nothing; that a node has more of them than its past or its peers is
how the next hard fault announces itself. Context: opens no incident.
Source: https://arxiv.org/abs/2410.21680 (lemon nodes) and https://arxiv.org/abs/2503.11901 (errors of GPU memory)
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames, full_hour
from correlate.rule import Rule
from correlate.rules.slow_drift import identified, warned, warned_nothing
from correlate.sessions import evidence_of

RESTARTS = r"(?i)container[._](?:status[._])?restarts?(?:_total)?$|restart\.count$"
CORRECTED = r"(?i)ECC_SBE|CORRECTABLE_REMAPPED|REMAP_CORRECTABLE|REPLAY|CRC_(?:FLIT|DATA)|ecc_\w*_corrected"
_MIN_RESTARTS, _Z = 5.0, 2.33
_MIN_DAYS, _MIN_FLEET, _SUSTAINED = 7, 8, 3
_FACTOR, _MIN_ERRORS = 5.0, 10.0


def _restarts(frames: Frames) -> pl.LazyFrame:
    owner = pl.when(pl.col("workload") != "").then("workload").otherwise(names.owner("pod"))
    days = (
        identified(frames)
        .filter(pl.col("metric").str.contains(RESTARTS), pl.col("pod") != "")
        .with_columns(owner=owner)
        .group_by("owner", "day")
        .agg(pl.col("growth").sum())
    )
    past = pl.col("day") > 0
    counted = days.group_by("owner").agg(
        pl.col("growth").filter(pl.col("day") == 0).sum().alias("today"),
        pl.col("growth").filter(past).mean().alias("usual"),
        past.sum().alias("days"),
    )
    # Anscombe's root makes Poisson counts normal with variance 1.
    z = 2 * ((pl.col("today") + 0.375).sqrt() - (pl.col("usual") + 0.375).sqrt())
    return counted.filter(pl.col("days") >= _MIN_DAYS, pl.col("today") >= _MIN_RESTARTS, z >= _Z).select(
        kind=pl.lit("drift.restarts"),
        entity_type=pl.lit("workload"),
        entity="owner",
        direction=pl.lit(1),
        value="today",
        baseline="usual",
        explanation=pl.format(
            "{} restarted {} times in a day (usually {})",
            "owner", pl.col("today").cast(pl.Int64), pl.col("usual").round(1),
        ),
        evidence=evidence_of(days="days"),
    )  # fmt: skip


def _errors(frames: Frames) -> pl.LazyFrame:
    days = (
        frames_of_gpus(frames)
        .group_by("gpu", "metric", "day")
        .agg(pl.col("growth").sum())
        .filter(pl.col("day") < _SUSTAINED)
    )
    fleet = ("metric", "day")
    high = days.with_columns(
        limit=pl.col("growth").quantile(0.99, "lower").over(fleet),
        usual=pl.col("growth").median().over(fleet),
        gpus=pl.len().over(fleet),
    ).filter(
        pl.col("gpus") >= _MIN_FLEET,
        pl.col("growth") > 0,
        pl.col("growth") >= pl.col("limit"),
        # Of a fleet that is as good as new, somebody is the worst.
        pl.col("growth") >= _FACTOR * pl.col("usual"),
        pl.col("growth") >= _MIN_ERRORS,
    )
    return (
        high.group_by("gpu", "metric")
        .agg(pl.len().alias("days"), pl.col("growth").mean(), pl.col("limit").mean())
        .filter(pl.col("days") >= _SUSTAINED)
        .select(
            kind=pl.lit("drift.errors"),
            entity_type=pl.lit("gpu"),
            entity="gpu",
            direction=pl.lit(1),
            value="growth",
            baseline="limit",
            explanation=pl.format(
                "{} corrects {} errors a day ({}), more than 99 % of the fleet",
                "gpu", pl.col("growth").round(0), "metric",
            ),
            evidence=evidence_of(metric="metric"),
        )
    )  # fmt: skip


def frames_of_gpus(frames: Frames) -> pl.LazyFrame:
    """Hours of corrected errors of GPUs."""
    return identified(frames).filter(pl.col("metric").str.contains(CORRECTED), pl.col("gpu") != "")


def detect(frames: Frames) -> pl.LazyFrame:
    """Warnings of the full hour in the window."""
    if full_hour(frames.window) is None:
        return warned_nothing(frames)
    rows = [_restarts(frames), _errors(frames)]
    return warned(pl.concat([row.cast({"value": pl.Float64, "baseline": pl.Float64}) for row in rows]), frames)


RULE = Rule("slow_counts", "metric", ("hourly_metrics",), detect)
