"""Another model than the one that used to answer.

Signal: change.model on a model.
Condition: requests for a model have been answered by one model for ten minutes or more and thirty answers, and now
another one answers at least ten of them and half of the last ten minutes'. A version that only adds a date to the name
asked for counts as another one once it changes.
Why it matters: providers move an alias to new weights, gateways fall back to a smaller model: answers change without
any change of one's own, and the response says which model it was.
Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/ (gen_ai.response.model)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_KNOWN_S = 600
_KNOWN_ANSWERS, _NEW_ANSWERS, _SHARE = 30, 10, 0.5
_NEAR = "600s"


def detect(frames: Frames) -> pl.LazyFrame:
    """Models whose answers come from elsewhere since some time in the window; onset is the first such answer."""
    calls = frames["gen_ai_calls"].filter(pl.col("model") != "", pl.col("response_model") != "")
    seen = calls.group_by("model", "response_model").agg(
        pl.col("time").min().alias("first"), pl.col("time").max().alias("last"), pl.len().alias("answers")
    )
    began = pl.col("first").min().over("model")
    # Who answered first, and for long: the one that was there before.
    usual = (
        seen.filter(pl.col("first") == began, pl.col("answers") >= _KNOWN_ANSWERS)
        .sort("model", "answers", "response_model", descending=[False, True, False])
        .unique("model", keep="first", maintain_order=True)
        .select("model", before="response_model", since="first")
    )
    fresh = seen.join(usual, on="model").filter(
        pl.col("response_model") != pl.col("before"),
        pl.col("first") > pl.col("since") + pl.duration(seconds=_KNOWN_S),
    )
    recent = (
        calls.sort("time")
        .with_columns(one=pl.lit(1))
        .with_columns(
            all_near=pl.col("one").rolling_sum_by("time", _NEAR).over("model"),
            own_near=pl.col("one").rolling_sum_by("time", _NEAR).over("model", "response_model"),
        )
        .join(fresh.select("model", "response_model", "before", "first"), on=["model", "response_model"])
        .filter(pl.col("own_near") >= _NEW_ANSWERS, pl.col("own_near") >= _SHARE * pl.col("all_near"))
    )
    facts = recent.select(
        "time",
        onset="first",
        kind=pl.lit("change.model"),
        entity_type=pl.lit("model"),
        entity="model",
        score=pl.lit(5.0),
        explanation=pl.format("{} is answered by {} instead of {}", "model", "response_model", "before"),
        evidence=evidence_of(before="before", now="response_model", provider="provider"),
    )
    return sessions(facts, frames, gap_s=1800.0)


RULE = Rule("model_swap", "change", ("gen_ai_calls",), detect)
