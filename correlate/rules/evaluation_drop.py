"""Evaluation scores that fall, told apart by version and pod where one of them explains it.

Signal: quality.drop on a model; quality.version on a workload and quality.replica on a pod when only the
answers of one version or one replica are worse.
Condition: the last eight scores of a model and evaluator are low against up to eighty before them, a
Welch-like z with a floor on the spread and a cap on what one score can say; or a slice's are, while the rest
of the model's answers are as ever. A score without a number counts by its label; no label and no score: nothing.
Why it matters: online evaluators sample and disagree, so a fall must be told from chance with few scores, and
a bad version or replica is mended differently from a bad model.
Source: gen_ai.evaluation.result, https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-events/
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.episodes import score_of
from correlate.evaluators import direction
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

RECENT, REFERENCE = 8, 80
"""How many of the latest scores are compared with how many before them."""

_MIN_REFERENCE = 20
_MAX_AGE = pl.duration(minutes=30)
_SPREAD_FLOOR = 0.03
MOST_SPREADS = 4.0
_MIN_FALL = 0.05
_THRESHOLD = 4.0
# Every replica is a comparison of its own, so one needs more to stand out.
REPLICA_THRESHOLD = 6.0
_MIN_SLICE = 5
_NEAR = "30m"
_LATELY, _MIN_LATELY = "10m", 2
# A slice must be this many spreads worse, and the rest less than this share of it.
_WORSE, REST_SHARE = 1.5, 0.35


def scores(frames: Frames) -> pl.LazyFrame:
    """`time, model, name, trace_id, score, raw`: higher is better in `score`; labels count as 1 and 0."""
    label = pl.col("label").str.to_lowercase()
    passed = (
        pl.when(label.is_in(["pass", "passed", "yes", "true", "good", "correct"])).then(1.0).when(label != "").then(0.0)
    )
    raw = pl.coalesce("score", passed)
    return (
        frames["evaluations"]
        .with_columns(raw=raw)
        .filter(pl.col("raw").is_not_null(), pl.col("model") != "")
        .select("time", "model", "name", "trace_id", "raw", score=pl.col("raw") * direction("name"))
    )


def judged(rows: pl.LazyFrame, by: tuple[str, ...]) -> pl.LazyFrame:
    """Add `recent, usual, spread, z, began` to rows with `time, score`, using each group's own past only."""
    value = pl.col("score")
    past = value.shift(RECENT)
    return (
        rows.sort(*by, "time", "score")
        .with_columns(
            recent=value.rolling_mean(RECENT, min_samples=RECENT).over(by),
            oldest=pl.col("time").shift(RECENT - 1).over(by),
            usual=past.rolling_mean(REFERENCE, min_samples=_MIN_REFERENCE).over(by),
            spread=past.rolling_std(REFERENCE, min_samples=_MIN_REFERENCE).over(by),
            samples=past.is_not_null().cast(pl.Int64).rolling_sum(REFERENCE, min_samples=1).over(by),
        )
        .with_columns(spread=pl.max_horizontal("spread", pl.lit(_SPREAD_FLOOR)))
        # One hopeless answer must not speak for eight: each counts for at most this many spreads.
        .with_columns(low=((pl.col("usual") - value) / pl.col("spread")).clip(upper_bound=MOST_SPREADS))
        .with_columns(low=pl.col("low").rolling_mean(RECENT, min_samples=RECENT).over(by))
        .with_columns(z=pl.col("low") / (1 / RECENT + 1 / pl.col("samples")).sqrt())
        .with_columns(
            low_at=pl.when(pl.col("score") < pl.col("usual") - 2 * pl.col("spread")).then(
                pl.col("time").dt.epoch("ns")
            ),
        )
        .with_columns(began=pl.col("low_at").rolling_min(RECENT, min_samples=1).over(by).cast(TIME))
    )


def fallen() -> pl.Expr:
    """Rows of `judged` that are worse than usual beyond chance and by an amount that matters."""
    return (
        (pl.col("z") >= _THRESHOLD)
        & (pl.col("usual") - pl.col("recent") >= pl.max_horizontal(_MIN_FALL, _MIN_FALL * pl.col("usual").abs()))
        & (pl.col("time") - pl.col("oldest") <= _MAX_AGE)
    )


def _drops(rows: pl.LazyFrame) -> pl.LazyFrame:
    return (
        judged(rows, ("model", "name"))
        .filter(fallen())
        .select(
            "time",
            onset=pl.coalesce("began", "oldest"),
            kind=pl.lit("quality.drop"),
            entity_type=pl.lit("model"),
            entity="model",
            score=score_of(pl.col("z")),
            direction=pl.lit(-1),
            value=pl.col("recent").abs(),
            baseline=pl.col("usual").abs(),
            explanation=pl.format(
                "{} of {} fell to {} (usually {})",
                "name",
                "model",
                pl.col("recent").abs().round(3),
                pl.col("usual").abs().round(3),
            ),
            evidence=evidence_of(evaluator="name", trace="trace_id", z=pl.col("z").round(2)),
        )
    )


def _served(frames: Frames, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Scores with the pod and version that produced the answer, through the trace they judge."""
    served = (
        frames["spans"]
        .filter(pl.col("model") != "", pl.col("kind") == "Server", pl.col("pod") != "")
        .select("trace_id", "model", "pod", "version", "workload")
        .unique(subset=["trace_id", "model"], keep="any")
    )
    owned = rows.join(served, on=["trace_id", "model"])
    return owned.with_columns(owner=pl.when(pl.col("workload") != "").then("workload").otherwise(names.owner("pod")))


def _slices(frames: Frames, rows: pl.LazyFrame) -> pl.LazyFrame:
    """Versions and pods whose answers alone are worse: the rest of the model's recent answers are as ever."""
    owned = _served(frames, rows)
    # A version is compared with the model's other versions, a replica with its siblings of the same version.
    version = alone(owned, "version", ["model", "name"], _THRESHOLD)
    replica = alone(owned, "pod", ["model", "name", "version"], REPLICA_THRESHOLD)
    return pl.concat(
        [
            _told(version, "version", "workload", "owner", "quality.version"),
            _told(replica, "pod", "pod", "pod", "quality.replica"),
        ]
    )


def alone(owned: pl.LazyFrame, what: str, peers: list[str], enough: float) -> pl.LazyFrame:
    """Rows at which a slice by `what` is worse than usual while its peers are not, with `mean`, `rest` and `z`."""
    rows = judged(owned.filter(pl.col(what) != "").with_columns(slice=pl.col(what)), ("model", "name"))
    # Deviations in units of the model's own spread, so that a new slice needs no past of its own.
    low = ((pl.col("usual") - pl.col("score")) / pl.col("spread")).clip(upper_bound=MOST_SPREADS)
    scaled = rows.filter(pl.col("usual").is_not_null()).with_columns(low=low)
    by = [*peers, "slice"]
    own = scaled.sort(*by, "time", "score").with_columns(
        mean=pl.col("low").rolling_mean(RECENT, min_samples=_MIN_SLICE).over(by),
        n=pl.col("low").is_not_null().cast(pl.Int64).rolling_sum(RECENT, min_samples=1).over(by),
        oldest=pl.col("time").shift(_MIN_SLICE - 1).over(by),
    )
    return (
        own.with_columns(z=pl.col("mean") * pl.col("n").sqrt())
        .join(_others(scaled, peers), on=[*by, "time"], how="left")
        .filter(
            pl.col("z") >= enough,
            pl.col("mean") >= _WORSE,
            pl.col("rest").is_not_null() & pl.col("lately").is_not_null(),
            pl.max_horizontal("rest", "lately") < pl.min_horizontal(REST_SHARE * pl.col("mean"), pl.lit(1.0)),
            pl.col("time") - pl.col("oldest") <= _MAX_AGE,
        )
    )


def _told(alone: pl.LazyFrame, what: str, entity_type: str, entity: str, kind: str) -> pl.LazyFrame:
    return alone.select(
        "time",
        onset="oldest",
        kind=pl.lit(kind),
        entity_type=pl.lit(entity_type),
        entity=entity,
        score=score_of(pl.col("z")),
        direction=pl.lit(-1),
        value=pl.col("mean"),
        baseline=pl.col("rest"),
        explanation=pl.format("{} of {} is worse on {} {} than on the others", "name", "model", pl.lit(what), "slice"),
        evidence=evidence_of(evaluator="name", slice="slice", trace="trace_id"),
    )


def _others(scaled: pl.LazyFrame, peers: list[str]) -> pl.LazyFrame:
    """`rest`: mean deviation of the other slices over the half hour before each row; null with too few of them.

    `lately` is the same over the last minutes: when all get worse, half an hour of others is mostly from before.
    """
    by = [*peers, "slice"]
    one = pl.col("low").is_not_null().cast(pl.Int64)
    total = scaled.sort("time").with_columns(
        all_sum=pl.col("low").rolling_sum_by("time", _NEAR).over(peers),
        all_n=one.rolling_sum_by("time", _NEAR).over(peers),
        own_sum=pl.col("low").rolling_sum_by("time", _NEAR).over(by),
        own_n=one.rolling_sum_by("time", _NEAR).over(by),
    )
    n = pl.col("all_n") - pl.col("own_n")
    rest = pl.when(n >= _MIN_SLICE).then((pl.col("all_sum") - pl.col("own_sum")) / n)
    near = total.with_columns(
        low_n=one.rolling_sum_by("time", _LATELY).over(peers) - one.rolling_sum_by("time", _LATELY).over(by),
        low_sum=pl.col("low").rolling_sum_by("time", _LATELY).over(peers)
        - pl.col("low").rolling_sum_by("time", _LATELY).over(by),
    )
    lately = pl.when(pl.col("low_n") >= _MIN_LATELY).then(pl.col("low_sum") / pl.col("low_n"))
    return near.select(*by, "time", rest=rest, lately=lately).unique(subset=[*by, "time"], keep="last")


def detect(frames: Frames) -> pl.LazyFrame:
    """Quality drops seen in the window; onset is the first of the low scores."""
    rows = scores(frames)
    return pl.concat(
        [sessions(_drops(rows), frames, gap_s=900.0), sessions(_slices(frames, rows), frames, gap_s=900.0)]
    )


RULE = Rule("evaluation_drop", "quality", ("evaluations", "spans"), detect)
