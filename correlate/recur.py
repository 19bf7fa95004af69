"""The same fault again: what comes back within the cool-down is the old incident reopened, not a new one.

A GPU that falls off its bus, is reset and falls off again, or a pod that crashes every few minutes, is one incident to
whoever is called for it. Two faults are the same when the first root cause is the same entity with the same kind, and
that kind is a change of state: a service that is slow again may be slow for another reason.
"""

from __future__ import annotations

import polars as pl


def rejoined(members: pl.DataFrame, candidates: pl.DataFrame, cooldown_s: float) -> pl.DataFrame:
    """`members` with recurrences in the component of the first one.

    `candidates` has the columns of rank.ranked; `members` component, kind, state_change, onset, until and context. A
    component begins with its first symptom and ends with its last.
    """
    states = members.filter(pl.col("state_change")).select("kind").unique()
    roots = (
        candidates.filter(pl.col("rank") == 1).select("component", "key", "kind").join(states, on="kind", how="semi")
    )
    spans = (
        members.filter(~pl.col("context"))
        .group_by("component")
        .agg(start=pl.col("onset").min(), end=pl.col("until").max())
        .join(roots, on="component")
        .sort("key", "kind", "start", "component")
    )
    # An earlier one may outlast a later one.
    ended = pl.col("end").cum_max().over("key", "kind").shift().over("key", "kind")
    pause = (pl.col("start") - ended).dt.total_milliseconds()
    chains = spans.with_columns(fresh=pause.is_null() | (pause > cooldown_s * 1000)).with_columns(
        chain=pl.col("fresh").cum_sum()
    )
    renamed = chains.select("component", first=pl.col("component").first().over("chain"))
    return (
        members.join(renamed, on="component", how="left", maintain_order="left")
        .with_columns(component=pl.coalesce("first", "component"))
        .drop("first")
        # A fact that was the background of both is so once.
        .unique(subset=["component", "id"], keep="first", maintain_order=True)
    )
