"""From links to incidents: signals that can have caused one another belong together."""

from __future__ import annotations

import polars as pl

# Weaker links say "conceivable"; they are kept for ranking but do not join incidents.
JOIN_WEIGHT = 0.15
# A context signal joins the components whose links are at least this share of its best one.
_AS_GOOD = 0.8


def components(signals: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """(id, component): every signal with the smallest id it is connected to.

    Context signals (a deploy, a drain) are no bridges: they join the components they have the
    best links with, and never unite two. A context signal linked to nothing forms no component.
    """
    core = signals.filter(~pl.col("context"))["id"]
    strong = links.filter(pl.col("weight") >= JOIN_WEIGHT).select("cause_id", "effect_id")
    inner = strong.filter(pl.col("cause_id").is_in(core.implode()), pl.col("effect_id").is_in(core.implode()))
    labels = _smallest_connected(core, inner)
    return with_context(labels, signals, links)


def with_context(labels: pl.DataFrame, signals: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """`labels` (id, component) and the context signals beside the components they have the best links with."""
    strong = links.filter(pl.col("weight") >= JOIN_WEIGHT)
    touched = pl.concat(
        [
            strong.select("weight", id="cause_id", other="effect_id"),
            strong.select("weight", id="effect_id", other="cause_id"),
        ]
    )
    joined = (
        signals.filter(pl.col("context"))
        .select("id")
        .join(touched, on="id")
        .join(labels.rename({"id": "other"}), on="other")
        # What surrounds one incident closely is not the background of the next as well.
        .filter(pl.col("weight") >= _AS_GOOD * pl.col("weight").max().over("id"))
        .select("id", "component")
        .unique()
    )
    return pl.concat([labels, joined]).sort("component", "id")


def _smallest_connected(ids: pl.Series, pairs: pl.DataFrame) -> pl.DataFrame:
    """Connected components by label propagation: each sweep takes the smallest label of all neighbours."""
    both = pl.concat([pairs.select(a="cause_id", b="effect_id"), pairs.select(a="effect_id", b="cause_id")]).unique()
    labels = ids.to_frame("id").with_columns(component=pl.col("id"))
    while True:
        offered = both.join(labels, left_on="b", right_on="id").group_by(id="a").agg(offer=pl.col("component").min())
        moved = labels.join(offered, on="id", how="left").select(
            "id", component=pl.min_horizontal("component", "offer")
        )
        # Following the label's own label halves long chains at each sweep.
        moved = moved.join(moved.rename({"id": "component", "component": "root"}), on="component", how="left").select(
            "id", component=pl.min_horizontal("component", "root")
        )
        if moved.sort("id").equals(labels.sort("id")):
            return labels
        labels = moved
