"""Xids by DCGM's last-value gauge.

Signal: xid.<code> on a GPU.
Condition: the gauge changes to a code. It never clears and hides repeats, so only changes count.
Why it matters: the kernel's line is the better witness; this one speaks where kernel logs are not collected,
and so counts a tenth less than the catalogue's score.
Source: https://github.com/NVIDIA/dcgm-exporter/issues/500 (never clears) and
https://github.com/NVIDIA/dcgm-exporter/issues/190 (repeats are invisible)
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, gpu_series
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

# DCGM reports an Xid with its next collection (30 s) and scrape.
_LATE_S = 30


def detect(frames: Frames) -> pl.LazyFrame:
    """Changes of the gauge to a code, seen in the window."""
    codes = catalog.table("xid").lazy().select("code", "description", "action", score=pl.col("score").cast(pl.Float64))
    facts = (
        gpu_series.points(frames, gpu_series.XID)
        .with_columns(was=pl.col("value").shift(1).over("device"))
        .filter(pl.col("was").is_not_null(), pl.col("value") != pl.col("was"), pl.col("value") > 0)
        .with_columns(code=pl.col("value").cast(pl.Int64))
        .join(codes, on="code", how="left")
        .select(
            "time",
            onset=pl.col("time") - pl.duration(seconds=_LATE_S),
            kind=pl.format("xid.{}", "code"),
            entity_type=pl.lit("gpu"),
            entity="device",
            score=pl.col("score").fill_null(4.0) * 0.9,
            value="value",
            baseline="was",
            explanation=pl.format("DCGM reports Xid {}: {}", "code", pl.col("description").fill_null("not documented")),
            evidence=evidence_of(node="node", action=pl.col("action").fill_null("")),
        )
    )
    return sessions(facts, frames, gap_s=300.0)


RULE = Rule("gpu_xid_gauge", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
