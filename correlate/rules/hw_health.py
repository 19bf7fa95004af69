"""Hardware health in OpenTelemetry's own words.

Signal: gpu.health, gpu.ecc_uncorrected, gpu.ecc_corrected, gpu.nvlink, gpu.pcie or gpu.thermal on a GPU; nic.link,
node.thermal or node.hardware on a node.
Condition: a component's state becomes failed, degraded or predicted_failure; its error counter grows (by twenty, for
corrected errors); a network port that was up goes down; a temperature passes a limit that the component states.
Why it matters: collectors that speak `hw.*` cover fans, power supplies, disks and adapters as well as GPUs; no vendor's
names are needed to read them.
Source: https://opentelemetry.io/docs/specs/semconv/hardware/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_METRICS = ("hw.status", "hw.errors", "hw.network.up", "hw.temperature", "hw.temperature.limit")
_BAD_STATES = {"failed": 8.5, "degraded": 6.5, "predicted_failure": 5.0}
_CRITICAL = r"(?i)critical|degraded|high"
_UNCORRECTED = r"(?i)uncorrect|fatal|double|unrecover"
_SOME, _MANY = 1.0, 20.0
_WITHIN = "300s"


def _components(frames: Frames) -> pl.LazyFrame:
    """Series of `hw.*` with `hw_id, hw_type, state, error, limit`, and whose they are."""
    label = pl.col("labels")

    def told(name: str) -> pl.Expr:
        return label.str.json_path_match(f"$['{name}']").fill_null("").str.to_lowercase()

    gpu = told("hw.type") == "gpu"
    own = pl.when(pl.col("gpu") != "").then("gpu").otherwise(label.str.json_path_match("$['hw.id']").fill_null(""))
    return (
        frames["metric_series"]
        .filter(pl.col("metric").is_in(_METRICS))
        .select(
            "series", "metric", "node",
            # A delta is growth already.
            delta=pl.col("type") == "delta_sum",
            hw_id=label.str.json_path_match("$['hw.id']").fill_null(""),
            hw_type=told("hw.type"),
            state=told("hw.state"),
            error=told("error.type"),
            limit=told("hw.limit_type"),
            is_gpu=gpu | (pl.col("metric").str.starts_with("hw.gpu")),
            device=own,
        )
    )  # fmt: skip


def _points(frames: Frames) -> pl.LazyFrame:
    return (
        frames["metric_points"]
        .join(_components(frames), on="series")
        .sort("series", "time")
        .with_columns(
            was=pl.col("value").shift(1).over("series"),
            before=pl.col("time").shift(1).over("series"),
        )
    )


def _states(points: pl.LazyFrame) -> pl.LazyFrame:
    bad = points.filter(
        pl.col("metric") == "hw.status",
        pl.col("state").is_in(list(_BAD_STATES)),
        pl.col("value") > 0,
        pl.col("was") == 0,
    )
    return bad.with_columns(
        kind=pl.when("is_gpu").then(pl.lit("gpu.health")).otherwise(pl.lit("node.hardware")),
        score=pl.col("state").replace_strict(_BAD_STATES, return_dtype=pl.Float64),
        words=pl.format("is {}", "state"),
    )


def _errors(points: pl.LazyFrame) -> pl.LazyFrame:
    step = (
        pl.when("delta")
        .then("value")
        .when(pl.col("value") >= pl.col("was"))
        .then(pl.col("value") - pl.col("was"))
        .when(pl.col("was").is_not_null())
        .then("value")
        .otherwise(0.0)
    )
    grown = (
        points.filter(pl.col("metric") == "hw.errors")
        .with_columns(step=step)
        .with_columns(within=pl.col("step").rolling_sum_by("time", _WITHIN).over("series"))
    )
    severe = pl.col("error").str.contains(_UNCORRECTED)
    link = pl.col("error").str.contains("(?i)nvlink|crc|replay")
    bus = pl.col("error").str.contains("(?i)pci")
    return grown.filter(
        pl.col("step") > 0, pl.col("within") >= pl.when(severe).then(_SOME).otherwise(_MANY)
    ).with_columns(
        kind=pl.when(~pl.col("is_gpu"))
        .then(pl.lit("node.hardware"))
        .when(link)
        .then(pl.lit("gpu.nvlink"))
        .when(bus)
        .then(pl.lit("gpu.pcie"))
        .when(severe)
        .then(pl.lit("gpu.ecc_uncorrected"))
        .otherwise(pl.lit("gpu.ecc_corrected")),
        score=pl.when(severe).then(8.5).when(link | bus).then(7.0).otherwise(4.5),
        words=pl.format("has errors ({})", "error"),
    )


def _ports(points: pl.LazyFrame) -> pl.LazyFrame:
    down = points.filter(pl.col("metric") == "hw.network.up", pl.col("value") <= 0, pl.col("was") > 0)
    return down.with_columns(kind=pl.lit("nic.link"), score=pl.lit(7.5), words=pl.lit("is down"))


def _heat(points: pl.LazyFrame) -> pl.LazyFrame:
    limits = (
        points.filter(pl.col("metric") == "hw.temperature.limit", pl.col("limit").str.contains(_CRITICAL))
        .group_by("node", "hw_id")
        .agg(pl.col("value").min().alias("most"))
    )
    passed = points.filter(pl.col("metric") == "hw.temperature").join(limits, on=["node", "hw_id"])
    return passed.filter(pl.col("value") >= pl.col("most"), pl.col("was") < pl.col("most")).with_columns(
        kind=pl.when("is_gpu").then(pl.lit("gpu.thermal")).otherwise(pl.lit("node.thermal")),
        score=pl.lit(7.0),
        words=pl.format("is at {} degrees, {} allowed", pl.col("value").round(0), pl.col("most").round(0)),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Components that turned bad in the window; onset lies between the two samples around the change."""
    points = _points(frames)
    columns = (
        "time", "before", "value", "was", "metric", "node", "hw_id", "hw_type", "device", "is_gpu", "kind", "score",
        "words",
    )  # fmt: skip
    rows = pl.concat([part(points).select(columns) for part in (_states, _errors, _ports, _heat)])
    gpu = pl.col("kind").str.starts_with("gpu.") & (pl.col("device") != "")
    facts = rows.select(
        "time",
        "kind",
        "score",
        "value",
        onset=pl.col("time") - (pl.col("time") - pl.col("before")).fill_null(pl.duration(seconds=60)) / 2,
        entity_type=pl.when(gpu).then(pl.lit("gpu")).otherwise(pl.lit("node")),
        entity=pl.when(gpu).then("device").otherwise("node"),
        baseline="was",
        explanation=pl.format("{} {} of {} {}", "hw_type", "hw_id", "node", "words"),
        evidence=evidence_of(metric="metric", component="hw_id", node="node"),
    )
    return sessions(facts, frames)


RULE = Rule("hw_health", "gpu", ("metric_series", "metric_points"), detect, r"^hw\.")
