"""What became of incidents between two passes: opened, merged, split, changed, resolved, reopened.

An incident keeps its id while it shares signals with what it was; where two have become one, the other's signals
say into which it went, and where one has become two, whose signals the new one has.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

EVENT = ("IncidentId", "Kind", "Other", "Before", "After")
_SCHEMA = dict.fromkeys(EVENT, pl.String)


@dataclass(frozen=True, slots=True)
class Author:
    """Who does something to incidents, in which words, and to which: `about` has their ids."""

    who: str
    text: str = ""
    about: tuple[str, ...] = ()


def signed(events: pl.DataFrame, by: Author | None) -> pl.DataFrame:
    """`events` (columns EVENT) with Who and Text; '' is the correlator."""
    if by is None:
        return events.with_columns(Who=pl.lit(""), Text=pl.lit(""))
    theirs = pl.col("IncidentId").is_in(by.about) | pl.col("Other").is_in(by.about)
    return events.with_columns(
        Who=pl.when(theirs).then(pl.lit(by.who)).otherwise(pl.lit("")),
        Text=pl.when(theirs).then(pl.lit(by.text)).otherwise(pl.lit("")),
    )


def changes(before: pl.DataFrame, after: pl.DataFrame, held_before: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Columns EVENT, one row for each change, in a fixed order.

    `before` and `after` have IncidentId, State, Severity and RootCauses as stored; `held_before` and `held` the
    signals of incidents, IncidentId and SignalId. `held_before` may know incidents that `before` does not show.
    """
    known = held_before.select("IncidentId").unique()
    both = before.select("IncidentId", *_seen("Before")).join(
        after.select("IncidentId", *_seen("After")), on="IncidentId"
    )
    parts = [
        _opened(after, known, held_before, held),
        *_gone(before, after, held_before, held),
        _changed(both, "root_changed", "root"),
        _changed(both, "severity_changed", "severity"),
        _changed(both.filter(pl.col("stateAfter") == "resolved"), "resolved", "state"),
        _changed(both.filter(pl.col("stateBefore") == "resolved"), "reopened", "state"),
    ]
    return pl.concat(parts).sort(EVENT)


def _seen(when: str) -> list[pl.Expr]:
    """State, severity and first root cause, named for before or after."""
    first = [
        pl.col("RootCauses").str.json_path_match(f"$[0].{part}") for part in ("entity.type", "entity.name", "kind")
    ]
    return [
        pl.col("State").alias(f"state{when}"),
        pl.col("Severity").alias(f"severity{when}"),
        pl.concat_str(*first, separator=" ", ignore_nulls=True).alias(f"root{when}"),
    ]


def _changed(both: pl.DataFrame, kind: str, what: str) -> pl.DataFrame:
    return both.filter(pl.col(f"{what}Before") != pl.col(f"{what}After")).select(
        "IncidentId", Kind=pl.lit(kind), Other=pl.lit(""), Before=f"{what}Before", After=f"{what}After"
    )


def _opened(after: pl.DataFrame, known: pl.DataFrame, held_before: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Incidents that are new, told apart by whether their signals were another's."""
    new = after.join(known, on="IncidentId", how="anti")
    source = _most_shared(new, held, held_before)
    found = new.join(source, on="IncidentId", how="left").select(
        "IncidentId",
        Kind=pl.when(pl.col("Other").is_null()).then(pl.lit("opened")).otherwise(pl.lit("split")),
        Other=pl.col("Other").fill_null(""),
        Before=pl.lit(""),
        After=pl.col("Severity"),
    )
    return _events(found)


def _gone(
    before: pl.DataFrame, after: pl.DataFrame, held_before: pl.DataFrame, held: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Incidents that are no more, and those they went into."""
    gone = before.join(after, on="IncidentId", how="anti")
    target = gone.join(_most_shared(gone, held_before, held), on="IncidentId", how="left")
    merged = target.filter(pl.col("Other").is_not_null())
    left = target.select(
        "IncidentId",
        Kind=pl.when(pl.col("Other").is_null()).then(pl.lit("withdrawn")).otherwise(pl.lit("merged")),
        Other=pl.col("Other").fill_null(""),
        Before=pl.col("Severity"),
        After=pl.lit(""),
    )
    absorbed = merged.select(
        IncidentId="Other", Kind=pl.lit("absorbed"), Other="IncidentId", Before=pl.lit(""), After=pl.lit("")
    )
    return _events(left), _events(absorbed)


def _most_shared(wanted: pl.DataFrame, own: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """(IncidentId, Other): for each wanted incident the other one that has most of its signals."""
    return (
        own.join(wanted.select("IncidentId"), on="IncidentId", how="semi")
        .join(others.select(Other="IncidentId", SignalId="SignalId"), on="SignalId")
        .filter(pl.col("Other") != pl.col("IncidentId"))
        .group_by("IncidentId", "Other")
        .agg(shared=pl.len())
        .sort("IncidentId", "shared", "Other", descending=[False, True, False])
        .unique(subset="IncidentId", keep="first", maintain_order=True)
        .select("IncidentId", "Other")
    )


def _events(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
