"""GPU errors by exporters that count them per code.

Signal: xid.<code>, gpu.thermal or gpu.power on a GPU.
Condition: the count of an Xid code, or of a clock event caused by heat or the power brake, grows or appears. The
exporter counts within a sliding window, so a count that falls says nothing. What is there when the history begins is
old news.
Why it matters: unlike DCGM's last-value gauge these show repeats, and two codes at once; they speak where kernel
logs are not collected, and count a tenth less than the catalogue's score, as the gauge does.
Source: https://github.com/NVIDIA/dcgm-exporter (DCGM_EXP_XID_ERRORS_COUNT, DCGM_EXP_CLOCK_EVENTS_COUNT) and
https://github.com/leptonai/gpud (accelerator_nvidia_xid_errors_total)
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, gpu_series
from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

XIDS = ("DCGM_EXP_XID_ERRORS_COUNT", "accelerator_nvidia_xid_errors_total")
CLOCKS = ("DCGM_EXP_CLOCK_EVENTS_COUNT",)
_LATE_S = 30
# In the first minutes of the history nothing is known about what was before.
_KNOWN_S = 180
_SECOND_HAND = 0.9


def _grown(frames: Frames) -> pl.LazyFrame:
    """Points at which a count grew: `device, node, time, value, was, code, event`."""
    labels = pl.col("labels")
    series = frames["metric_series"].select(
        "series",
        code=labels.str.json_path_match("$.xid").cast(pl.Int64, strict=False),
        event=labels.str.json_path_match("$.clock_event").fill_null(""),
    )
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=_KNOWN_S)
    return (
        gpu_series.points(frames, (*XIDS, *CLOCKS))
        .join(series, on="series")
        .sort("series", "time")
        .with_columns(was=pl.col("value").shift(1).over("series"))
        .filter(
            pl.col("value") > pl.col("was").fill_null(0.0),
            pl.col("was").is_not_null() | (pl.col("time") > known),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Counted errors seen in the window; onset is half a minute before the count was seen."""
    codes = catalog.table("xid").lazy().select("code", "description", rated=pl.col("score").cast(pl.Float64))
    grown = _grown(frames)
    xids = (
        grown.filter(pl.col("metric").is_in(XIDS), pl.col("code") > 0)
        .join(codes, on="code", how="left")
        .with_columns(
            kind=pl.format("xid.{}", "code"),
            score=pl.col("rated").fill_null(4.0) * _SECOND_HAND,
            words=pl.format("Xid {}: {}", "code", pl.col("description").fill_null("not documented")),
        )
    )
    heat = pl.col("event").str.contains("(?i)therm")
    clocks = grown.filter(
        pl.col("metric").is_in(CLOCKS), heat | pl.col("event").str.contains("(?i)power_?brake")
    ).with_columns(
        kind=pl.when(heat).then(pl.lit("gpu.thermal")).otherwise(pl.lit("gpu.power")),
        score=pl.lit(7.0),
        words=pl.format("clock event {}", "event"),
    )
    columns = ("time", "node", "device", "metric", "value", "was", "kind", "score", "words")
    facts = pl.concat([xids.select(columns), clocks.select(columns)]).select(
        "time",
        "kind",
        "score",
        "value",
        onset=pl.col("time") - pl.duration(seconds=_LATE_S),
        entity_type=pl.lit("gpu"),
        entity="device",
        direction=pl.lit(1),
        baseline=pl.col("was").fill_null(0.0),
        explanation=pl.format("{} on {}", "words", "device"),
        evidence=evidence_of(metric="metric", node="node"),
    )
    return sessions(facts, frames, gap_s=300.0)


RULE = Rule("gpu_window_counts", "gpu", ("metric_series", "metric_points"), detect, named((*XIDS, *CLOCKS)))
