"""What people decided, applied to what a pass computed: signals stay where they were put, states stay as they were set.

A pass computes incidents anew from signals, and knows nothing of people. Merges and splits are kept as pins, which say
of a signal in which incident it belongs; a new signal goes where its entity's others were put, or with most of the
signals it would be together with. States are kept beside the incidents: an acknowledged incident stays so until it
ends, and one that was resolved by hand opens again only for a symptom that began after all that was known then.
"""

from __future__ import annotations

import polars as pl

from correlate.signals import TIME

_PIN = "pin\x1f"
PINS = {"id": pl.String(), "target": pl.String()}
"""Columns of pins: a signal's id, and the incident it was put into."""


def no_pins() -> pl.DataFrame:
    """Nobody merged or split anything."""
    return pl.DataFrame(schema=PINS)


def arranged(members: pl.DataFrame, pins: pl.DataFrame) -> pl.DataFrame:
    """`members` (id, component, entity_type, entity) with pinned signals in a component of their incident's own."""
    if pins.is_empty() or members.join(pins, on="id", how="semi").is_empty():
        return members
    told = members.join(pins.select("id", "target").unique("id"), on="id", how="left", maintain_order="left")
    by_entity = _most(told, ["component", "entity_type", "entity"], "of_entity")
    by_component = _most(told, ["component"], "of_component")
    target = pl.coalesce("target", "of_entity", "of_component")
    return (
        told.join(by_entity, on=["component", "entity_type", "entity"], how="left", maintain_order="left")
        .join(by_component, on="component", how="left", maintain_order="left")
        .with_columns(component=pl.coalesce(pl.concat_str(pl.lit(_PIN), target), "component"))
        .drop("target", "of_entity", "of_component")
        .unique(subset=["component", "id"], keep="first", maintain_order=True)
    )


def _most(told: pl.DataFrame, by: list[str], name: str) -> pl.DataFrame:
    """`by` and the target that most of its pinned signals have."""
    return (
        told.filter(pl.col("target").is_not_null())
        .group_by(*by, "target")
        .len()
        .sort("len", "target", descending=[True, False])
        .unique(subset=by, keep="first", maintain_order=True)
        .select(*by, pl.col("target").alias(name))
    )


def named(names: pl.DataFrame) -> pl.DataFrame:
    """`names` (component, incident_id) with the id that people gave where they did."""
    given = pl.col("component").str.strip_prefix(_PIN)
    return names.with_columns(
        incident_id=pl.when(pl.col("component").str.starts_with(_PIN)).then(given).otherwise("incident_id")
    )


def with_decisions(rows: pl.DataFrame, members: pl.DataFrame, decisions: pl.DataFrame) -> pl.DataFrame:
    """`rows` as the incidents table has them, with State and EndedAt as people decided.

    `members` has incident_id, id, role and onset; `decisions` the columns of the query of that name.
    """
    if decisions.is_empty() or rows.is_empty():
        return rows
    told = decisions.filter(pl.col("decided") != "").select("incident_id", "decided", "seen", "known")
    fresh = (
        members.filter(pl.col("role") != "context")
        .join(told.filter(pl.col("decided") == "resolved"), on="incident_id")
        .filter(pl.col("onset") > pl.col("seen").cast(TIME), ~pl.col("known").list.contains(pl.col("id")))
        .select(IncidentId="incident_id", fresh=pl.lit(value=True))
        .unique()
    )
    by_id = told.select("decided", IncidentId="incident_id")
    joined = rows.join(by_id, on="IncidentId", how="left", maintain_order="left").join(
        fresh, on="IncidentId", how="left", maintain_order="left"
    )
    decided, ongoing = pl.col("decided"), pl.col("State") == "open"
    closed = (decided == "resolved") & pl.col("fresh").is_null()
    return joined.with_columns(
        State=pl.when(closed)
        .then(pl.lit("resolved"))
        .when((decided == "held") | ((decided == "acknowledged") & ongoing))
        .then(pl.lit("acknowledged"))
        .when(decided == "open")
        .then(pl.lit("open"))
        .otherwise("State"),
        EndedAt=pl.when(closed)
        .then(pl.coalesce("EndedAt", "UpdatedAt"))
        .when(decided.is_in(["open", "held"]))
        .then(None)
        .otherwise("EndedAt"),
    ).drop("decided", "fresh")
