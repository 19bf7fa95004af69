"""GPU health by DCGM, its exporter and gpud.

Signal: the kind that the `dcgm` catalogue gives a field (gpu.ecc_uncorrected, gpu.thermal, ...) on a GPU.
Condition: an error counter grows, a rate is above its threshold, a clock is held back by heat or power, a
flag goes up, or a PCIe link is narrower than it was; which field is which, and from how much on, stands in
the catalogue. A flag that is up when the history begins is old news.
Why it matters: these are the GPU's own measurements, often minutes ahead of the error that ends a job.
Source: https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html and
https://github.com/leptonai/gpud
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, gpu_series
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

WITHIN = "300s"


def readings(frames: Frames) -> pl.LazyFrame:
    """Points that say something is wrong: `device, node, time, kind, score, text, amount, value, was`."""
    facts = catalog.table("dcgm").with_columns(pl.col("score", "threshold").cast(pl.Float64))
    named = pl.concat(
        [
            facts.drop("metric_4_6"),
            facts.drop("metric").rename({"metric_4_6": "metric"}).select(facts.drop("metric_4_6").columns),
        ]
    )
    rows = (
        gpu_series.points(frames, tuple(named["metric"].unique()))
        .join(named.unique().lazy(), on="metric")
        .sort("device", "metric", "kind", "time")
        .with_columns(
            was=pl.col("value").shift(1).over("device", "metric", "kind"),
            step_s=(pl.col("time").diff().dt.total_milliseconds() / 1000).over("device", "metric", "kind"),
        )
    )
    # A counter that went down was reset: what it shows now has grown since.
    grown = pl.when(pl.col("value") >= pl.col("was")).then(pl.col("value") - pl.col("was")).otherwise("value")
    rows = rows.with_columns(grown=pl.when(pl.col("was").is_null()).then(0.0).otherwise(grown))
    within = pl.col("grown").rolling_sum_by("time", window_size=WITHIN).over("device", "metric", "kind")
    widest = pl.col("value").cum_max().over("device", "metric", "kind")
    mode = pl.col("mode")
    masked = pl.col("value").cast(pl.Int64) & pl.col("threshold").cast(pl.Int64)
    amount = (
        pl.when(mode == "counter").then(within)
        .when(mode == "rate").then(pl.col("grown") / pl.col("step_s"))
        .when(mode == "bits").then(masked.cast(pl.Float64))
        .when(mode == "width").then(widest - pl.col("value"))
        .otherwise("value")
    )  # fmt: skip
    enough = (
        pl.when(mode.is_in(["bits", "width"]))
        .then(pl.col("amount") > 0)
        .otherwise(pl.col("amount") >= pl.col("threshold"))
    )
    growing = pl.when(mode.is_in(["counter", "rate"])).then(pl.col("grown") > 0).otherwise(pl.lit(value=True))
    # A flag that was already up when the history begins is old news.
    raised = (
        pl.when(mode == "flag")
        .then(pl.col("was").eq(0.0))
        .when(mode == "level")
        .then(pl.col("was") < pl.col("threshold"))
        .otherwise(pl.lit(value=True))
    )
    return rows.with_columns(amount=amount).filter(enough & growing & raised)


def detect(frames: Frames) -> pl.LazyFrame:
    """Unhealthy readings seen in the window, one signal per GPU and kind; onset is the sample before the first."""
    half_ms = pl.min_horizontal(pl.col("step_s").fill_null(0.0), pl.lit(60.0)) * 500
    facts = readings(frames).select(
        "time", "kind", "score",
        onset=pl.col("time") - pl.duration(milliseconds=half_ms.cast(pl.Int64)),
        entity_type=pl.lit("gpu"),
        entity="device",
        direction=pl.lit(1),
        value="value",
        baseline="was",
        explanation=pl.format("{} on {} ({})", "text", "device", "metric"),
        evidence=evidence_of(metric="metric", node="node", amount="amount"),
    )  # fmt: skip
    return sessions(facts, frames)


RULE = Rule("gpu_metrics", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
