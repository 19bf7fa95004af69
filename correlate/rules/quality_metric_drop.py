"""Quality scores and drift measures that evaluators publish as gauges.

Signal: quality.drop on a model; quality.drift on a feature, a model or a service.
Condition: the median of five minutes against what the series showed at least half an hour ago, because both
move slowly: a score that fell by 3.5 spreads and by 3 %, or a drift measure of at least 0.1 that doubled and left
its spread.
Why it matters: nothing fails when answers get worse or inputs move away from what a model was trained on.
Source: drift scales, https://docs.evidentlyai.com/ (a population stability index below 0.1 means no change)
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import score_of
from correlate.evaluators import DRIFT, SCORE, direction
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_BUCKET = "60s"
# Now is the median of the last five minutes; before is everything that is older than the lag.
_NOW, _LAG, _REFERENCE, _MIN_REFERENCE = 5, 30, 90, 15
_SPREAD_FLOOR, _MIN_FALL, _THRESHOLD = 0.01, 0.03, 3.5
_DRIFTED, _DRIFT_FACTOR = 0.1, 2.0


def _buckets(frames: Frames, pattern: str) -> pl.LazyFrame:
    label = pl.col("labels")
    name = pl.coalesce(
        label.str.json_path_match("$['gen_ai.evaluation.name']"), label.str.json_path_match("$.metric"),
        label.str.json_path_match("$.evaluation"), label.str.json_path_match("$.name"), "metric",
    )  # fmt: skip
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").str.contains(pattern), pl.col("type") == "gauge")
        .select(
            "series",
            "metric",
            "model",
            "service",
            name=name,
            feature=label.str.json_path_match("$.feature").fill_null(""),
        )
    )
    return (
        frames["metric_points"]
        .join(series, on="series")
        .group_by(
            "series",
            "metric",
            "model",
            "service",
            "name",
            "feature",
            pl.col("time").dt.truncate(_BUCKET).alias("bucket"),
        )
        .agg(pl.col("value").mean(), pl.col("time").max())
        .sort("series", "bucket")
    )


def _judged(rows: pl.LazyFrame) -> pl.LazyFrame:
    value = pl.col("value")
    # With a short history the lag shrinks to what there is.
    older = (
        value.shift(_LAG)
        .rolling_quantile(0.5, "linear", window_size=_REFERENCE, min_samples=_MIN_REFERENCE)
        .over("series")
    )
    with_usual = rows.with_columns(
        now=value.rolling_quantile(0.5, "linear", window_size=_NOW, min_samples=_NOW).over("series"),
        usual=older,
        past=value.shift(_LAG).over("series"),
    )
    return with_usual.with_columns(
        spread=1.4826
        * (pl.col("past") - pl.col("usual"))
        .abs()
        .rolling_quantile(0.5, "linear", window_size=_REFERENCE, min_samples=1)
        .over("series")
    )


def _falls(frames: Frames) -> pl.LazyFrame:
    rows = _judged(
        _buckets(frames, SCORE).with_columns(value=pl.col("value") * direction("name")).filter(pl.col("model") != "")
    )
    fall = pl.col("usual") - pl.col("now")
    # The median of five buckets varies about half as much as one bucket does.
    z = fall / pl.max_horizontal(pl.col("spread") / 2, pl.lit(_SPREAD_FLOOR))
    return (
        rows.with_columns(z=z)
        .filter(z >= _THRESHOLD, fall >= pl.max_horizontal(_MIN_FALL, _MIN_FALL * pl.col("usual").abs()))
        .select(
            "time",
            onset=pl.col("bucket") - pl.duration(minutes=_NOW // 2),
            kind=pl.lit("quality.drop"),
            entity_type=pl.lit("model"),
            entity="model",
            score=score_of(pl.col("z")),
            direction=pl.lit(-1),
            value=pl.col("now").abs(),
            baseline=pl.col("usual").abs(),
            explanation=pl.format(
                "{} of {} fell to {} (usually {})",
                "name",
                "model",
                pl.col("now").abs().round(3),
                pl.col("usual").abs().round(3),
            ),
            evidence=evidence_of(metric="metric", name="name"),
        )
    )


def _drifts(frames: Frames) -> pl.LazyFrame:
    rows = _judged(_buckets(frames, DRIFT))
    rise = pl.col("now") - pl.col("usual")
    # p-values fall when data drift; only measures that grow are read here.
    grown = (
        (pl.col("now") >= _DRIFTED) & (pl.col("now") >= _DRIFT_FACTOR * pl.col("usual")) & (rise > 3 * pl.col("spread"))
    )
    feature = pl.col("feature") != ""
    return rows.filter(grown).select(
        "time",
        onset=pl.col("bucket") - pl.duration(minutes=_NOW // 2),
        kind=pl.lit("quality.drift"),
        entity_type=pl.when(feature)
        .then(pl.lit("feature"))
        .when(pl.col("model") != "")
        .then(pl.lit("model"))
        .otherwise(pl.lit("service")),
        entity=pl.when(feature).then("feature").when(pl.col("model") != "").then("model").otherwise("service"),
        score=pl.min_horizontal(5.0 + 10.0 * (pl.col("now") - _DRIFTED), pl.lit(9.0)),
        direction=pl.lit(1),
        value="now",
        baseline="usual",
        explanation=pl.format(
            "{} of {} {} rose to {} (usually {})",
            "metric",
            "model",
            "feature",
            pl.col("now").round(3),
            pl.col("usual").round(3),
        ),
        evidence=evidence_of(metric="metric", model="model", feature="feature"),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Falling scores and drifting inputs seen in the window; onset is the middle of the first bad five minutes."""
    return pl.concat([sessions(_falls(frames), frames, gap_s=900.0), sessions(_drifts(frames), frames, gap_s=1800.0)])


RULE = Rule("quality_metric_drop", "quality", ("metric_series", "metric_points"), detect, f"(?:{SCORE})|(?:{DRIFT})")
