"""Alerts of runtime security tools.

Signal: security.alert on a pod, else on a node.
Condition: a Falco alert of priority Warning or worse. One below is a note.
Why it matters: a shell in a model server or an unexpected process in a tool's sandbox explains what injected prompts
did; and a policy that kills processes explains pods that die without a reason of their own.
Source: https://falco.org/docs/concepts/outputs/formatting/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

PRIORITIES = {"emergency": 6.5, "alert": 6.0, "critical": 6.0, "error": 4.5, "warning": 3.2}


def detect(frames: Frames) -> pl.LazyFrame:
    """Alerts seen in the window."""

    def told(path: str) -> pl.Expr:
        return pl.col("body").str.json_path_match(path).fill_null("")

    rows = (
        frames["logs"]
        .filter(
            pl.col("body").str.contains('"output_fields"', literal=True),
            pl.col("body").str.contains('"priority"', literal=True),
        )
        .with_columns(
            priority=told("$.priority").str.to_lowercase(),
            named=told("$.rule"),
            host=pl.coalesce(told("$.hostname").replace("", None), "node"),
            victim=told("$.output_fields['k8s.pod.name']"),
            output=told("$.output"),
        )
        .filter(pl.col("priority").is_in(list(PRIORITIES)))
    )
    pod = pl.col("victim") != ""
    facts = rows.select(
        "time",
        kind=pl.lit("security.alert"),
        entity_type=pl.when(pod).then(pl.lit("pod")).otherwise(pl.lit("node")),
        entity=pl.when(pod).then("victim").otherwise("host"),
        score=pl.col("priority").replace_strict(PRIORITIES, return_dtype=pl.Float64),
        explanation=pl.format("{}: {}", "named", pl.col("output").str.slice(0, 160)),
        evidence=evidence_of(rule="named", priority="priority"),
    )
    return sessions(facts, frames)


RULE = Rule("security_alerts", "log", ("logs",), detect)
