"""The parts of an incident that are stored as the API's JSON: root causes, blast radius, graph."""

from __future__ import annotations

import polars as pl

from correlate.confidence import with_shown
from correlate.links import entity_key
from correlate.rank import PARTS


def _array(column: str) -> pl.Expr:
    """A list column of JSON texts as the text of one JSON array."""
    return pl.concat_str(pl.lit("["), pl.col(column).list.join(","), pl.lit("]"))


def titles(candidates: pl.DataFrame) -> pl.DataFrame:
    """(component, title): the first candidate's kind in words, and where."""
    return candidates.filter(pl.col("rank") == 1).select(
        "component", title=pl.concat_str("title", pl.lit(": "), "entity_type", pl.lit(" "), "entity")
    )


def root_causes_json(candidates: pl.DataFrame, entities: pl.DataFrame, same: pl.DataFrame) -> pl.DataFrame:
    """(component, root_causes): the ranked candidates with their aliases and the terms of their scores."""
    aliases = entities.group_by(entity_type="type", entity="name").agg(
        aliases=pl.col("aliases").explode(empty_as_null=False).drop_nulls().unique().sort()
    )
    no_names = pl.lit([], pl.List(pl.String))
    shown = (
        with_shown(candidates)
        .join(aliases, on=["entity_type", "entity"], how="left")
        .join(same, on="key", how="left")
        .with_columns(
            aliases=pl.concat_list(pl.col("aliases").fill_null(no_names), pl.col("names").fill_null(no_names))
            .list.unique()
            .list.set_difference(pl.concat_list("entity"))
            .list.sort()
        )
    )
    rounded = pl.col("own", "root_prior", "fit", "residual", "coverage", "late_s", "during", "logit").round(4)
    text = pl.struct(
        "rank",
        score=pl.col("shown").round(4),
        entity=pl.struct(type="entity_type", name="entity", aliases="aliases"),
        kind="kind",
        explanation="explanation",
        action="action",
        signal_ids="signal_ids",
        terms=pl.struct(
            rounded,
            raw_confidence=pl.col("confidence").round(4),
            explained_by=pl.col("explained_by").str.replace("\x1f", ":"),
            families="families",
            sum=pl.struct(pl.col(*PARTS).round(4)),
        ),
    ).struct.json_encode()
    return (
        shown.sort("component", "rank")
        .group_by("component", maintain_order=True)
        .agg(items=text)
        .select("component", root_causes=_array("items"))
    )


def blast_radius_json(hurt: pl.DataFrame) -> pl.DataFrame:
    """(component, blast_radius) from `blast.hurt`."""
    return (
        hurt.group_by("component", maintain_order=True)
        .agg(items=pl.struct(type="entity_type", name="entity").struct.json_encode())
        .select("component", blast_radius=_array("items"))
    )


def parts_played(members: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """(component, key, part): root_cause, critical_failure, impact or context of each entity.

    The critical failure is the effect that links from the root lead to most strongly: where the cause first shows.
    """
    order = pl.col("role").replace_strict(["cause", "effect", "context"], [0, 1, 2], return_dtype=pl.Int64)
    keyed = members.with_columns(key=entity_key("entity_type", "entity"))
    played = keyed.group_by("component", "key").agg(order=order.min())
    causes, effects = (played.filter(pl.col("order") == which).select("component", "key") for which in (0, 1))
    strength = keyed.group_by("component", "id").agg(pl.max("score"))
    critical = (
        inside.join(causes, left_on=["component", "cause"], right_on=["component", "key"], how="semi")
        .join(effects, left_on=["component", "effect"], right_on=["component", "key"], how="semi")
        .join(strength, left_on=["component", "effect_id"], right_on=["component", "id"])
        .with_columns(felt=(pl.col("weight") * pl.col("score")).round(9))
        .sort("felt", "lag_s", "effect", descending=[True, False, False])
        .unique("component", keep="first", maintain_order=True)
        .select("component", key="effect", critical=pl.lit(value=True))
    )
    names = pl.col("order").replace_strict([0, 1, 2], ["root_cause", "impact", "context"], return_dtype=pl.String)
    return played.join(critical, on=["component", "key"], how="left").select(
        "component", "key", part=pl.when(pl.col("critical")).then(pl.lit("critical_failure")).otherwise(names)
    )


def graph_json(members: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """(component, graph): entities as nodes; between two of them the likeliest causal link."""
    order = pl.col("role").replace_strict(["cause", "effect", "context"], [0, 1, 2], return_dtype=pl.Int64)
    nodes = (
        members.with_columns(order=order)
        .sort("order", "onset", "id")
        .unique(subset=["component", "entity_type", "entity"], keep="first", maintain_order=True)
        .with_columns(key=entity_key("entity_type", "entity"))
        .join(parts_played(members, inside), on=["component", "key"], how="left", maintain_order="left")
        .group_by("component", maintain_order=True)
        .agg(nodes=pl.struct(type="entity_type", name="entity", role="role", part="part").struct.json_encode())
    )

    def end(column: str) -> pl.Expr:
        parts = pl.col(column).str.split("\x1f")
        return pl.struct(type=parts.list.first(), name=parts.list.last())

    edges = (
        inside.filter(pl.col("cause") != pl.col("effect"))
        .sort("weight", "cause_id", "effect_id", descending=[True, False, False])
        .unique(subset=["component", "cause", "effect"], keep="first", maintain_order=True)
        # Of a chain a -> b -> c the direct a -> c adds nothing unless it is the only one.
        .sort("component", "hops", "lag_s", "cause", "effect")
        .group_by("component", maintain_order=True)
        .agg(
            edges=pl.struct(
                src=end("cause"),
                dst=end("effect"),
                hops="hops",
                lag_s=pl.col("lag_s").round(3),
                weight=pl.col("weight").round(4),
            ).struct.json_encode()
        )
    )
    empty = pl.lit([], pl.List(pl.String))
    return nodes.join(edges, on="component", how="left").select(
        "component",
        graph=pl.concat_str(
            pl.lit('{"nodes":['),
            pl.col("nodes").list.join(","),
            pl.lit('],"edges":['),
            pl.col("edges").fill_null(empty).list.join(","),
            pl.lit("]}"),
        ),
    )
