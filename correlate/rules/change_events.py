"""Deployments and feature flags that say so themselves.

Signal: change.deploy on a deployment_change; change.flag on a feature_flag; change.commit on a commit.
Condition: a log record with deployment or feature-flag attributes of the semantic conventions. A deployment brings the
words of its commit, where one with its revision was reported. A commit that is no deployment's own is shipped by the
next deployments of its repository's services and is told for itself.
Why it matters: the cause an operator can undo is the change itself and not the service that runs it; which of several
changes it was is told by what each touched, and not by which came last.
Source: https://opentelemetry.io/docs/specs/semconv/registry/attributes/deployment/ and
https://opentelemetry.io/docs/specs/semconv/registry/attributes/feature-flag/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_WORDS = 4000


def detect(frames: Frames) -> pl.LazyFrame:
    """Changes seen in the window; their words are in the evidence."""
    rows = frames["changes"]
    commits = (
        rows.filter(pl.col("what") == "commit", pl.col("revision") != "")
        .select("revision", words=pl.concat_str("title", pl.lit(" "), "detail").str.slice(0, _WORDS))
        .unique(subset="revision", keep="any")
    )
    flag = pl.col("what") == "flag"
    facts = (
        rows.filter(pl.col("what") != "commit", pl.col("service") != "")
        .join(commits, on="revision", how="left")
        .select(
            "time",
            kind=pl.when(flag).then(pl.lit("change.flag")).otherwise(pl.lit("change.deploy")),
            entity_type=pl.when(flag).then(pl.lit("feature_flag")).otherwise(pl.lit("deployment_change")),
            entity="id",
            score=pl.lit(5.0),
            explanation=pl.col("title").str.slice(0, 200),
            evidence=evidence_of(
                revision="revision",
                version="version",
                words=pl.concat_str(pl.col("title"), pl.lit(" "), pl.col("words").fill_null(pl.col("detail"))),
            ),
        )
    )
    # A deployment's own commit is told with it.
    deployed = rows.filter(pl.col("what") == "deployment").select("revision")
    shipped = (
        rows.filter(pl.col("what") == "commit", pl.col("revision") != "")
        .join(deployed, on="revision", how="anti")
        .select(
            "time",
            kind=pl.lit("change.commit"),
            entity_type=pl.lit("commit"),
            entity="revision",
            score=pl.lit(5.0),
            explanation=pl.format("{}: {}", pl.col("revision").str.slice(0, 7), pl.col("title").str.slice(0, 180)),
            evidence=evidence_of(
                revision="revision",
                version="version",
                words=pl.concat_str("title", pl.lit(" "), "detail").str.slice(0, _WORDS),
            ),
        )
    )
    return sessions(pl.concat([facts, shipped]), frames, gap_s=60.0)


RULE = Rule("change_events", "change", ("changes",), detect)
