"""Answers that are worse on one node, in one pool, on one route or for long prompts only.

Signal: quality.node on a node, quality.subset on a model, naming the slice.
Condition: as for versions and replicas (`evaluation_drop`): the last scores of a slice are low in units of the model's
own spread, five of a node's and eight of the others', while those of the model's other answers in the same minutes are
as ever. A node counts where two pods of the model run on it, as otherwise it is the replica; prompts are cut at 4,000,
16,000 and 64,000 tokens.
Why it matters: a fault of routing or configuration and one of a kind of hardware hit a subset and leave the average
almost alone; which subset it is says where to look.
Source: https://www.anthropic.com/engineering/a-postmortem-of-three-recent-issues (three such faults, months long)
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import score_of
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules.evaluation_drop import MOST_SPREADS, RECENT, REPLICA_THRESHOLD, REST_SHARE, alone, judged, scores
from correlate.sessions import evidence_of, sessions

LONG = (4_000.0, 16_000.0, 64_000.0)
"""Prompt lengths in tokens at which contexts are told apart."""

_SLICES = ("node", "pool", "route", "context")
_MIN_OTHERS = {"node": 3}
_MIN_OTHERS_OF_CUT = 5


def _calls(frames: Frames) -> pl.LazyFrame:
    """One row per trace and model: where it was answered, by which way, and how long the prompt was."""
    tokens = pl.col("input_tokens")
    context = (
        pl.when(tokens.is_null()).then(pl.lit("")).when(tokens >= LONG[2]).then(pl.lit("64k tokens and more"))
        .when(tokens >= LONG[1]).then(pl.lit("16k to 64k tokens"))
        .when(tokens >= LONG[0]).then(pl.lit("4k to 16k tokens"))
        .otherwise(pl.lit("under 4k tokens"))
    )  # fmt: skip
    crowd = pl.col("pod").n_unique().over("model", "node") > 1
    return (
        frames["gen_ai_calls"]
        .filter(pl.col("model") != "", pl.col("trace_id") != "")
        .with_columns(node=pl.when(crowd).then("node").otherwise(pl.lit("")), context=context)
        # Of a trace's calls of one model the innermost knows best where it ran; any of them knows the rest.
        .group_by("trace_id", "model")
        .agg(*(pl.col(name).filter(pl.col(name) != "").sort().first().fill_null("") for name in _SLICES))
    )


def _besides(worse: pl.LazyFrame, owned: pl.LazyFrame, what: str) -> pl.LazyFrame:
    """Rows of `worse` whose model answered others as ever since the slice's first low score.

    Half an hour's mean of the others, which is what speaks for a slice at first, lags behind a fall of everything.
    """
    keys = ("model", "name")
    low = ((pl.col("usual") - pl.col("score")) / pl.col("spread")).clip(upper_bound=MOST_SPREADS)
    others = judged(owned.filter(pl.col(what) != ""), keys).select(*keys, at="time", other=what, low_there=low)
    since = (
        worse.select(*keys, "slice", "time", "oldest")
        .unique()
        .join(others, on=keys)
        .filter(pl.col("other") != pl.col("slice"), pl.col("at").is_between(pl.col("oldest"), pl.col("time")))
        .group_by(*keys, "slice", "time")
        .agg(pl.col("low_there").mean().alias("beside"), pl.len().alias("answers"))
        .filter(pl.col("answers") >= _MIN_OTHERS.get(what, _MIN_OTHERS_OF_CUT))
    )
    return worse.join(since, on=[*keys, "slice", "time"]).filter(
        pl.col("beside") < pl.min_horizontal(REST_SHARE * pl.col("mean"), pl.lit(1.0))
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Slices whose answers alone are worse, seen in the window; onset is the first of the low scores."""
    owned = scores(frames).join(_calls(frames), on=["trace_id", "model"])
    parts = []
    for what in _SLICES:
        # Of many ways to cut, one divides a few low scores from the others by chance; a node is one of a few places.
        enough = 0 if what == "node" else RECENT
        apart = alone(owned, what, ["model", "name"], REPLICA_THRESHOLD).filter(pl.col("n") >= enough)
        worse = _besides(apart, owned, what)
        node = what == "node"
        parts.append(
            worse.select(
                "time",
                onset="oldest",
                kind=pl.lit("quality.node" if node else "quality.subset"),
                entity_type=pl.lit("node" if node else "model"),
                entity="slice" if node else "model",
                score=score_of(pl.col("z")),
                direction=pl.lit(-1),
                value="mean",
                baseline="rest",
                explanation=pl.format(
                    "{} of {} is worse for {} {} than for the others", "name", "model", pl.lit(what), "slice"
                ),
                evidence=evidence_of(evaluator="name", slice="slice", by=pl.lit(what), trace="trace_id"),
            )
        )
    return sessions(pl.concat(parts), frames, gap_s=900.0)


RULE = Rule("evaluation_slices", "quality", ("evaluations", "gen_ai_calls"), detect)
