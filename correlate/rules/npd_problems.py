"""Kernel problems that node-problem-detector counts.

Signal: the kind that the `k8s_reasons` catalogue gives the reason (node.kernel, node.storage, ...) on a node.
Condition: the counter of a reason grows. Its permanent problems are conditions, and read as such.
Why it matters: where kernel logs are not collected and events have expired, the counter is what is left of a hung task
or an I/O error.
Source: https://github.com/kubernetes/node-problem-detector (problem_counter)
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.rules.k8s_states import between
from correlate.sessions import evidence_of, sessions

METRICS = ("problem_counter", "problem_counter_total")
# A container's limit and a full node are counted under one reason; the event tells them apart, the counter does not.
_UNCLEAR = pl.DataFrame({"reason": ["OOMKilling"], "kind": ["node.oom"], "score": [5.0]})
_SECOND_HAND = 0.9


def _kinds() -> pl.LazyFrame:
    known = catalog.table("k8s_reasons").filter(pl.col("object_kind").is_in(["Node", ""]))
    return (
        pl.concat([_UNCLEAR, known.select("reason", "kind", pl.col("score").cast(pl.Float64) * _SECOND_HAND)])
        .unique("reason", keep="first", maintain_order=True)
        .lazy()
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Counted problems seen in the window."""
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in(METRICS), pl.col("node") != "")
        .select("series", "node", reason=pl.col("labels").str.json_path_match("$.reason").fill_null(""))
        .join(_kinds(), on="reason")
    )
    grown = (
        frames["metric_points"]
        .join(series, on="series")
        .sort("series", "time")
        .with_columns(was=pl.col("value").shift(1).over("series"), before=pl.col("time").shift(1).over("series"))
        .filter(pl.col("value") > pl.col("was"))
    )
    facts = grown.select(
        "time",
        "kind",
        "score",
        "value",
        onset=between(),
        entity_type=pl.lit("node"),
        entity="node",
        direction=pl.lit(1),
        baseline="was",
        explanation=pl.format("node-problem-detector on {}: {}", "node", "reason"),
        evidence=evidence_of(reason="reason", node="node"),
    )
    return sessions(facts, frames)


RULE = Rule("npd_problems", "kubernetes", ("metric_series", "metric_points"), detect, named(METRICS))
