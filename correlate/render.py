"""The parts of an incident that are stored as the API's JSON: root causes, blast radius, graph."""

from __future__ import annotations

import polars as pl

from correlate.confidence import with_shown


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
    rounded = pl.col("own", "residual", "coverage", "late_s", "logit").round(4)
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


def graph_json(members: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """(component, graph): entities as nodes; between two of them the likeliest causal link."""
    order = pl.col("role").replace_strict(["cause", "effect", "context"], [0, 1, 2], return_dtype=pl.Int64)
    nodes = (
        members.with_columns(order=order)
        .sort("order", "onset", "id")
        .unique(subset=["component", "entity_type", "entity"], keep="first", maintain_order=True)
        .group_by("component", maintain_order=True)
        .agg(nodes=pl.struct(type="entity_type", name="entity", role="role").struct.json_encode())
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
