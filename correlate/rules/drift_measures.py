"""Drift tests and data quality, with a direction for each measure.

Signal: quality.drift, data.missing, data.invalid or data.integrity on a feature, a model or a service.
Condition: for three minutes, a measure is on the bad side of its threshold (`drift_measures` catalogue), where it was
not half an hour ago or more, by half of its usual. What grows (distances, shares of missing values) and what falls
(p-values) is told by name. Population stability and measures without a known method are `quality_metric_drop`'s.
Why it matters: features that went missing, values nobody has seen and poisoned records are causes of bad answers;
nothing in the serving path shows them.
Source: https://docs.evidentlyai.com/metrics/customize_data_drift and
https://genai.owasp.org/llmrisk/llm042025-data-and-model-poisoning/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.usual import against_past

# A gauge of a monitor of data or models, not of every program that has something missing.
MONITOR = (
    r"(?i)drift|feature|dataset|data_?quality|evidently|nannyml|whylogs|whylabs|model[._]input|training_?data|corpus"
    r"|(?:^|[._:])(?:psi|ks|js)(?:[._:]|$)|jensen|kolmogorov|hellinger|poison"
)
_NAMES = ("method", "test", "stattest", "measure", "metric", "name")
_BUCKET = "60s"
_SUSTAINED, _LAG, _LEAST = 3, 30, 10
_CHANGED = 0.5
_SCORES = {"quality.drift": 6.0, "data.missing": 6.0, "data.invalid": 5.5, "data.integrity": 7.0}


def _series(frames: Frames) -> pl.LazyFrame:
    label = pl.col("labels")
    told = pl.concat_str(
        "metric", *(label.str.json_path_match(f"$.{name}").fill_null("") for name in _NAMES), separator=" "
    )
    table = catalog.table("drift_measures")
    row = pl.lit(None, pl.UInt32)
    for number, pattern in reversed(list(enumerate(table["pattern"]))):
        row = pl.when(pl.col("told").str.contains(pattern)).then(pl.lit(number, pl.UInt32)).otherwise(row)
    return (
        frames["metric_series"]
        .filter(pl.col("metric").str.contains(MONITOR), pl.col("type") == "gauge")
        .with_columns(told=told)
        .with_columns(row=row, feature=pl.coalesce(
            *(label.str.json_path_match(f"$.{name}").replace("", None) for name in ("feature", "column")), pl.lit("")
        ))
        .join(table.with_row_index("row").lazy(), on="row")
        .select("series", "metric", "model", "service", "feature", "direction", "kind", "text",
                pl.col("threshold").cast(pl.Float64))
    )  # fmt: skip


def _turned(frames: Frames) -> pl.LazyFrame:
    by = ("series", "metric", "model", "service", "feature", "direction", "kind", "text", "threshold")
    rows = (
        frames["metric_points"]
        .join(_series(frames), on="series")
        .group_by(*by, pl.col("time").dt.truncate(_BUCKET).alias("bucket"))
        .agg(pl.col("value").mean(), pl.col("time").max())
    )
    judged = against_past(rows, ("series",), now=_SUSTAINED, lag=_LAG, least=_LEAST)
    up = pl.col("direction") > 0
    limit, usual = pl.col("threshold"), pl.col("usual")
    changed = (pl.col("value") - usual).abs() >= _CHANGED * pl.max_horizontal(usual.abs(), limit)
    risen = up & (pl.col("least_now") >= limit) & (usual < limit)
    fallen = ~up & (pl.col("most_now") <= limit) & (usual > limit)
    return judged.filter(changed & (risen | fallen))


def detect(frames: Frames) -> pl.LazyFrame:
    """Measures that turned bad in the window; onset is the first of the three minutes."""
    feature, model = pl.col("feature") != "", pl.col("model") != ""
    facts = _turned(frames).select(
        "time",
        "kind",
        "value",
        "direction",
        onset=pl.col("bucket") - pl.duration(minutes=_SUSTAINED - 1),
        entity_type=pl.when(feature)
        .then(pl.lit("feature"))
        .when(model)
        .then(pl.lit("model"))
        .otherwise(pl.lit("service")),
        entity=pl.when(feature).then("feature").when(model).then("model").otherwise("service"),
        score=pl.col("kind").replace_strict(_SCORES, return_dtype=pl.Float64),
        baseline="usual",
        explanation=pl.format(
            "{} of {} {} is {} (usually {})",
            "text", "model", "feature", pl.col("value").round(3), pl.col("usual").round(3),
        ),
        evidence=evidence_of(metric="metric", model="model", feature="feature"),
    )  # fmt: skip
    return sessions(facts, frames, gap_s=1800.0)


RULE = Rule("drift_measures", "quality", ("metric_series", "metric_points"), detect, MONITOR)
