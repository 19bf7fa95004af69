"""Two faults at once: taking apart what is one component only because symptoms touch.

A component's best root says which signals it accounts for: those its fault can have led to, those that can
have led to it, and what else they led to. What is left and would be an incident by itself has a root of its own, and
takes with it the symptoms that root explains better.
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import BUCKET_S
from correlate.group import components
from correlate.rank import NOISE_OF_SYMPTOM, ranked
from correlate.settings import CorrelateSettings

# A chain is as good as its weakest link, and a link below this accounts for nothing: 0.16 is a caller's load.
_ACCOUNTED = 0.2
_CHAIN_SWEEPS = 3
# Within this time of a brief cause its effects begin.
_FOLLOWS_S = 90
# How many independent faults one component may be found to hold, less one.
_ROUNDS = 3


def reached(links: pl.DataFrame, start: pl.DataFrame, *, backwards: bool = False) -> pl.DataFrame:
    """(component, id, share): how strongly chains of links lead from `start` (component, id) to a signal."""
    source, target = ("effect_id", "cause_id") if backwards else ("cause_id", "effect_id")
    steps = links.filter(pl.col("weight") >= _ACCOUNTED).select("component", source, target, "weight")
    known = start.select("component", "id", share=pl.lit(1.0))
    for _ in range(_CHAIN_SWEEPS):
        further = known.join(steps, left_on=["component", "id"], right_on=["component", source]).select(
            "component", id=target, share=pl.col("share") * pl.col("weight")
        )
        known = pl.concat([known, further]).group_by("component", "id").agg(pl.max("share"))
    return known


def strengths(members: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """(component, strength): how far its facts are beyond what noise looks like.

    Facts add up like independent deviations, as the root of their squares. What barely passes the threshold of a
    signal counts for little: in a large system there is always some of it.
    """
    core = members.filter(~pl.col("context"))
    facts = core.group_by("component", "entity_type", "entity", "family").agg(pl.max("score"))
    beyond = (pl.col("score") - NOISE_OF_SYMPTOM * settings.min_score).clip(lower_bound=0.0).pow(2)
    return facts.group_by("component").agg(strength=beyond.sum().sqrt().round(6))


def enough(members: pl.DataFrame, score: float, settings: CorrelateSettings) -> pl.DataFrame:
    """Members of components with enough evidence: one fact of at least `score`, or weaker ones that agree."""
    opening = strengths(members, settings).filter(pl.col("strength") >= score - NOISE_OF_SYMPTOM * settings.min_score)
    return members.join(opening, on="component", how="semi")


def _roots(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """(component, id): the signals of each component's best root."""
    best = ranked(members, links, settings).filter(pl.col("rank") == 1)
    return best.select("component", id="signal_ids").explode("id", empty_as_null=False)


def inside_parts(links: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """`links` between members of one component, with that component."""
    where = members.select("component", "id")
    return (
        links.drop("component", strict=False)
        .join(where, left_on="cause_id", right_on="id")
        .join(where, left_on=["effect_id", "component"], right_on=["id", "component"])
    )


def separated(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """`members` with a component for each independent root; `links` are theirs, entities already merged."""
    for _ in range(_ROUNDS):
        parts = _one_round(members, inside_parts(links, members), settings)
        if parts.is_empty():
            break
        moved = members.join(parts, on=["component", "id"], how="left")
        members = moved.with_columns(component=pl.coalesce("part", "component")).drop("part")
    return members


def _one_round(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """(component, id, part): signals that leave their component for a new one named `part`."""
    roots = _roots(members, links, settings)
    own = reached(links, roots)
    # A fault further up may be the true one: what it led to beside the root belongs here as well.
    upstream = reached(links, roots, backwards=True)
    accounted = pl.concat([own, reached(links, upstream)])
    rest = members.filter(~pl.col("context")).join(accounted, on=["component", "id"], how="anti")
    if rest.is_empty():
        return rest.select("component", "id", part="id")
    parts = components(rest, links.select("cause_id", "effect_id", "weight")).rename({"component": "part"})
    # Named apart from what stays: a component is called after its smallest id, and that one may leave.
    leaving = rest.rename({"component": "whole"}).join(parts.rename({"part": "component"}), on="id")
    sure = enough(leaving, settings.split_score, settings)
    # What came when the root was over, or was over when it came, is as sure as any incident.
    after = enough(_at_another_time(leaving, members, roots), settings.open_score, settings)
    opening = pl.concat([sure, after]).unique(subset=["component", "id"], maintain_order=True)
    if opening.is_empty():
        return rest.select("component", "id", part="id").clear()
    taken = _better_explained(opening, members, links, own, settings)
    return pl.concat([opening.select(component="whole", id="id", part="component"), taken]).with_columns(
        part=pl.concat_str("component", "part", separator="/")
    )


def _at_another_time(leaving: pl.DataFrame, members: pl.DataFrame, roots: pl.DataFrame) -> pl.DataFrame:
    """`leaving` of parts whose strongest sign and the signs of their whole's root do not go on side by side."""
    end = pl.max_horizontal(
        "until", pl.when("state_change").then(pl.col("onset") + pl.duration(seconds=pl.col("hold_s")))
    )
    signs = members.join(roots, on=["component", "id"], how="semi")
    ruled = signs.group_by(whole="component").agg(begin=pl.col("onset").min(), over=end.max())
    strongest = (
        leaving.sort("score", "onset", "id", descending=[True, False, False])
        .unique(subset="component", keep="first", maintain_order=True)
        .join(ruled, on="whole")
    )
    together = pl.min_horizontal(end, "over") - pl.max_horizontal("onset", "begin")
    # Brief signs hardly overlap, however close: what followed at once may be an effect.
    later = (pl.col("onset") - pl.col("begin")).abs() >= pl.duration(seconds=_FOLLOWS_S)
    apart = strongest.filter(later & (together <= pl.duration(seconds=round(BUCKET_S))))
    return leaving.join(apart, on="component", how="semi")


def _better_explained(
    opening: pl.DataFrame, members: pl.DataFrame, links: pl.DataFrame, own: pl.DataFrame, settings: CorrelateSettings
) -> pl.DataFrame:
    """(component, id, part): signals of the old root's that a new part's root accounts for more strongly."""
    part_links = inside_parts(links, opening)
    roots = _roots(opening, part_links, settings)
    whole = opening.select("whole", "component").unique()
    start = roots.join(whole, on="component").select(component="whole", id="id", part="component")
    claims = [
        reached(links, chosen).with_columns(part=pl.lit(name[0]))
        for name, chosen in start.partition_by("part", as_dict=True, maintain_order=True).items()
    ]
    gone = opening.select("id")
    movable = members.filter(~pl.col("context")).join(gone, on="id", how="anti").select("component", "id")
    return (
        pl.concat(claims)
        .sort("share", "part", descending=[True, False])
        .unique(subset=["component", "id"], keep="first", maintain_order=True)
        .join(movable, on=["component", "id"])
        .join(own.rename({"share": "held"}), on=["component", "id"], how="left")
        .filter(pl.col("share") > pl.col("held").fill_null(0.0))
        .select("component", "id", "part")
    )
