"""Faint neighbours of an incident: what is too weak to be a second fault belongs to the one beside it.

Links need a way from a cause to an effect. Symptoms of one fault often have none between them, because what
connects them is silent: two callers of a service that says nothing, two pods of one node. Of components that are
at most two topology steps apart in any direction and go on at the same time, the weaker joins the stronger, unless it
is sure enough to be a fault of its own and began at another time.
"""

from __future__ import annotations

import polars as pl

from correlate.links import entity_key
from correlate.separate import strengths
from correlate.settings import CorrelateSettings

_TOGETHER_S = 60.0
_SLACK_S = 60.0
# A hub (a node, a gateway) makes everything two steps apart; what hundreds share says nothing.
_HUB = 60


def beside(edges: pl.DataFrame, keys: pl.Series) -> pl.DataFrame:
    """(a, b): pairs of `keys` at most two undirected steps apart, in both orders."""
    ends = edges.select(a=entity_key("src_type", "src"), b=entity_key("dst_type", "dst")).filter(
        pl.col("a") != pl.col("b")
    )
    both = pl.concat([ends, ends.select(a="b", b="a")]).unique()
    known = both.filter(pl.col("a").is_in(keys.unique().implode()))
    middle = known.filter(pl.len().over("b") > 1).join(both, left_on="b", right_on="a", suffix="_next")
    two = middle.filter(pl.col("a") != pl.col("b_next")).select("a", b="b_next")
    wide = both.group_by("a").len().filter(pl.col("len") > _HUB).select("a")
    near = pl.concat([known, two.join(wide, on="a", how="anti")]).unique()
    return near.filter(pl.col("b").is_in(keys.unique().implode()))


def gathered(members: pl.DataFrame, edges: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """`members` with faint components renamed to the stronger one beside them."""
    core = members.filter(~pl.col("context")).with_columns(key=entity_key("entity_type", "entity"))
    about = (
        core.group_by("component")
        .agg(start=pl.col("onset").min(), end=pl.col("until").max())
        .join(strengths(members, settings), on="component")
    )
    places = core.select("component", "key").unique()
    pairs = (
        pl.concat([beside(edges, places["key"]), places.select(a="key", b="key").unique()])
        .join(places.rename({"component": "weak"}), left_on="a", right_on="key")
        .join(places.rename({"component": "strong"}), left_on="b", right_on="key")
        .filter(pl.col("weak") != pl.col("strong"))
        .select("weak", "strong")
        .unique()
        .join(about.rename({"component": "weak"}), on="weak")
        .join(about.rename({"component": "strong"}), on="strong", suffix="_strong")
    )
    slack = pl.duration(milliseconds=round(_SLACK_S * 1000))
    overlap = (pl.col("start") <= pl.col("end_strong") + slack) & (pl.col("start_strong") <= pl.col("end") + slack)
    weaker = (pl.col("strength") < pl.col("strength_strong")) | (
        (pl.col("strength") == pl.col("strength_strong")) & (pl.col("weak") > pl.col("strong"))
    )
    apart_s = (pl.col("start") - pl.col("start_strong")).dt.total_milliseconds().abs() / 1e3
    faint = pl.col("strength") < settings.split_score - settings.min_score
    joins = (
        pairs.filter(overlap, weaker, faint | (apart_s <= _TOGETHER_S))
        .sort("strength_strong", "strong", descending=[True, False])
        .unique(subset="weak", keep="first", maintain_order=True)
        .select("weak", "strong")
    )
    return members.with_columns(component=_followed(members["component"], joins))


def _followed(component: pl.Series, joins: pl.DataFrame) -> pl.Series:
    """Each component's name after following joins to their end; joins lead from weak to strong, so there is one."""
    step = dict(zip(joins["weak"].to_list(), joins["strong"].to_list(), strict=True))
    final = {}
    for name in step:
        end = name
        while end in step:
            end = step[end]
        final[name] = end
    return component.replace(final)
