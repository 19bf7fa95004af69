"""Calls that are tried again and again.

Signal: trace.retries on the service that is called.
Condition: per minute and pair of caller and callee, one operation is called again inside one parent, after a
failure, in a tenth of the cases or more, and attempts per case are 1.3 times the usual; for two minutes in a row.
Why it matters: retries multiply the load on what is already failing, and keep it high after the first fault is over;
they are seen at the caller, and the callee is what they hit.
Source: https://sre.google/sre-book/addressing-cascading-failures/ and, for metastable failures,
https://www.usenix.org/conference/osdi22/presentation/huang-lexiang
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.traces import peer_service, spans
from correlate.usual import against_past

_BUCKET = "60s"
_AMPLIFIED, _AGAIN, _MIN_CASES = 1.3, 0.1, 10
_LEAST_PAST = 5


def _cases(frames: Frames) -> pl.LazyFrame:
    """Per caller, callee and minute: cases, attempts and how many cases were tried again after a failure."""
    callee = pl.coalesce(peer_service(), pl.when(pl.col("peer") != "").then("peer"))
    one = ("trace_id", "parent_id", "service", "callee", "name")
    return (
        spans(frames)
        .filter(pl.col("kind") == "Client", pl.col("parent_id") != "")
        .with_columns(callee=callee)
        .filter(pl.col("callee").is_not_null(), pl.col("callee") != pl.col("service"))
        .group_by(one)
        .agg(pl.len().alias("attempts"), pl.col("error").any().alias("failed"), pl.col("time").min())
        .group_by("service", "callee", pl.col("time").dt.truncate(_BUCKET).alias("bucket"))
        .agg(
            pl.len().alias("cases"),
            pl.col("attempts").mean().alias("value"),
            ((pl.col("attempts") > 1) & pl.col("failed")).mean().alias("again"),
            pl.col("time").max(),
            pl.col("trace_id").filter((pl.col("attempts") > 1) & pl.col("failed")).sort().head(3).alias("traces"),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Callees under retries in the window; onset is the first of the two minutes."""
    rows = against_past(_cases(frames), ("service", "callee"), lag=3, least=_LEAST_PAST)
    amplified = rows.filter(
        pl.col("least_now") >= _AMPLIFIED * pl.col("usual"),
        pl.col("again") >= _AGAIN,
        pl.col("cases") >= _MIN_CASES,
    )
    facts = amplified.select(
        "time",
        "value",
        onset=pl.col("bucket") - pl.duration(seconds=60),
        kind=pl.lit("trace.retries"),
        entity_type=pl.lit("service"),
        entity="callee",
        score=pl.min_horizontal(3.0 + 2.0 * pl.col("value") / pl.col("usual"), pl.lit(7.0)),
        direction=pl.lit(1),
        baseline="usual",
        explanation=pl.format(
            "{} calls {} {} times for each request (usually {})",
            "service", "callee", pl.col("value").round(1), pl.col("usual").round(1),
        ),
        evidence=evidence_of(caller="service", traces="traces"),
    )  # fmt: skip
    return sessions(facts, frames, gap_s=300.0)


RULE = Rule("trace_retries", "trace", ("spans",), detect)
