"""Versions that stay mixed for longer than a rollout.

Signal: drift.skew on a service whose instances run several versions, or on a node whose GPU driver or kubelet is not
the fleet's.
Condition: once an hour; of the last 24 hours each one shows more than one version. Of a fleet of four nodes or more the
minority's nodes are named, a quarter at most.
Why it matters: a rollout that stopped half-way explains errors that only some replicas have, and libraries that do not
fit some nodes' drivers. Planned canaries look the same, so this is context and opens no incident.
Source: https://kubernetes.io/releases/version-skew-policy/
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames, full_hour
from correlate.rule import Rule
from correlate.rules.slow_drift import identified, warned, warned_nothing
from correlate.sessions import evidence_of

_HOURS = 24
_MIN_NODES, _MINORITY = 4, 0.25
_OF_NODE = {"GPU driver": "$.DCGM_FI_DRIVER_VERSION", "kubelet": "$.kubelet_version"}


def _services(recent: pl.LazyFrame) -> pl.LazyFrame:
    hours = (
        recent.filter(pl.col("service") != "", pl.col("version") != "")
        .group_by("service", "hour")
        .agg(pl.col("version").n_unique().alias("versions"), pl.col("version").unique().sort().alias("which"))
        .filter(pl.col("versions") > 1)
    )
    return (
        hours.group_by("service")
        .agg(pl.len().alias("hours"), pl.col("versions").max(), pl.col("which").first())
        .filter(pl.col("hours") >= _HOURS)
        .select(
            entity_type=pl.lit("service"),
            entity="service",
            value=pl.col("versions").cast(pl.Float64),
            explanation=pl.format(
                "{} has run {} versions side by side for a day: {}",
                "service", "versions", pl.col("which").list.join(", "),
            ),
        )
    )  # fmt: skip


def _nodes(recent: pl.LazyFrame, what: str, path: str) -> pl.LazyFrame:
    shown = (
        recent.with_columns(shown=pl.col("labels").str.json_path_match(path))
        .filter(pl.col("shown") != "", pl.col("node") != "")
        .group_by("node", "shown")
        .agg(pl.col("hour").n_unique().alias("hours"))
        .filter(pl.col("hours") >= _HOURS)
    )
    share = pl.len().over("shown") / pl.len().over(pl.lit(1))
    odd = shown.with_columns(share=share, nodes=pl.len().over(pl.lit(1)), usual=pl.col("shown").mode().first())
    return odd.filter(
        pl.col("nodes") >= _MIN_NODES, pl.col("share") <= _MINORITY, pl.col("shown") != pl.col("usual")
    ).select(
        entity_type=pl.lit("node"),
        entity="node",
        value=pl.col("share").cast(pl.Float64),
        explanation=pl.format("{} runs {} {}, most nodes {}", "node", pl.lit(what), "shown", "usual"),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Warnings of the full hour in the window."""
    if full_hour(frames.window) is None:
        return warned_nothing(frames)
    recent = identified(frames).filter(pl.col("day") < 1)
    parts = [_services(recent), *(_nodes(recent, what, path) for what, path in _OF_NODE.items())]
    rows = pl.concat(parts).with_columns(
        kind=pl.lit("drift.skew"), direction=pl.lit(0), baseline=pl.lit(1.0), evidence=evidence_of(value="value")
    )
    return warned(rows, frames)


RULE = Rule("version_skew", "change", ("hourly_metrics",), detect)
