"""Joining names across vocabularies: every alias of an entity becomes its canonical name."""

from __future__ import annotations

import polars as pl


def alias_table(entities: pl.DataFrame) -> pl.DataFrame:
    """(entity_type, alias, canonical) for every alias that names exactly one entity of its type."""
    return (
        entities.select(entity_type="type", canonical="name", alias="aliases")
        .explode("alias", empty_as_null=False)
        .filter(pl.col("alias").is_not_null(), pl.col("alias") != "", pl.col("alias") != pl.col("canonical"))
        .unique()
        .filter(pl.len().over("entity_type", "alias") == 1)
    )


def resolved(signals: pl.DataFrame, entities: pl.DataFrame) -> pl.DataFrame:
    """`signals` with `entity` replaced by the canonical name where it is an alias of one."""
    known = entities.select(entity_type="type", entity="name").unique().with_columns(known=pl.lit(value=True))
    return (
        signals.join(known, on=["entity_type", "entity"], how="left")
        .join(alias_table(entities), left_on=["entity_type", "entity"], right_on=["entity_type", "alias"], how="left")
        .with_columns(entity=pl.when(pl.col("known")).then("entity").otherwise(pl.coalesce("canonical", "entity")))
        .drop("known", "canonical")
    )
