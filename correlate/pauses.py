"""Faults one after the other: taking apart in time what faint symptoms hold together.

In a large system some faint symptom is always on, and bridges the time between one fault and the next. Where nothing
clear is going on and no clear symptom after the pause follows from one before it, another fault may have begun: it is
another incident if its root is another. The same root again is the same incident, which came back.
"""

from __future__ import annotations

import polars as pl

from correlate.rank import ranked
from correlate.separate import enough, inside_parts
from correlate.settings import CorrelateSettings
from correlate.signals import TIME

# As long as a bucket of evidence: shorter pauses cannot be seen.
_PAUSE_S = 30.0
# A link of this weight says that what comes after the pause follows from what was before it.
_FOLLOWS = 0.2
_MARK = "@"


def taken_apart(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """`members` with a component for each run of clear symptoms that has a root of its own.

    `links` are between signals by id; entities are merged already.
    """
    runs = _runs(members, links, settings)
    if runs.select(pl.col("run").max().fill_null(0)).item() == 0:
        return members
    start = runs.select("component", "run", from_="start").sort("from_")
    first = members.sort("onset", "id").join_asof(
        start, left_on="onset", right_on="from_", by="component", check_sortedness=False
    )
    # What is before all runs leads up to the first.
    numbered = first.with_columns(run=pl.col("run").fill_null(0)).drop("from_")
    split = numbered.with_columns(
        whole=pl.col("component"),
        component=pl.concat_str("component", pl.lit(_MARK), pl.col("run").cast(pl.String).str.zfill(6)),
    )
    joined = _joined(split, links, settings)
    return (
        split.join(joined, on="component", how="left", maintain_order="left")
        .with_columns(component=pl.coalesce("into", "component"))
        .select(members.columns)
        .sort("component", "id")
    )


def _runs(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """(component, run, start): runs of clear symptoms, numbered from 0 in each component."""
    clear = members.filter(~pl.col("context"), pl.col("score") >= settings.open_score).select(
        "component",
        "id",
        "onset",
        # What changed state has effects as long as its kind says.
        end=pl.max_horizontal(
            "until", pl.when("state_change").then(pl.col("onset") + pl.duration(seconds=pl.col("hold_s")))
        ).cast(TIME),
    )
    followed = (
        links.filter(pl.col("weight") >= _FOLLOWS)
        .join(clear.select("id"), left_on="effect_id", right_on="id", how="semi")
        .join(clear.select("id", "component", "onset"), left_on="cause_id", right_on="id")
        .join(clear.select(effect_id="id", reached="onset"), on="effect_id")
        .select("component", "onset", end=pl.max_horizontal("onset", "reached"), id="cause_id")
    )
    busy = pl.concat([clear, followed.select(clear.columns)]).sort("component", "onset", "id")
    before = pl.col("end").cum_max().shift(1).over("component")
    pause = (pl.col("onset") - before) >= pl.duration(milliseconds=round(_PAUSE_S * 1000))
    return (
        busy.with_columns(run=pause.fill_null(value=False).cum_sum().over("component"))
        .group_by("component", "run")
        .agg(start=pl.col("onset").min())
        .sort("component", "run")
    )


def _joined(split: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """(component, into): runs too faint for an incident, or with the root of the run before, and where they go."""
    roots = ranked(split, inside_parts(links, split), settings).filter(pl.col("rank") == 1).select("component", "key")
    able = enough(split, settings.open_score, settings).select("component", able=pl.lit(value=True)).unique()
    runs = (
        split.select("whole", "component")
        .unique()
        .join(roots, on="component", how="left")
        .join(able, on="component", how="left")
        .sort("whole", "component")
    )
    # A run too faint for an incident goes with the one before it, and the first of all with the one after.
    key = pl.when("able").then("key")
    continued = runs.with_columns(
        root=pl.coalesce(key.forward_fill().over("whole"), key.backward_fill().over("whole"))
    ).with_columns(turn=pl.col("root").ne_missing(pl.col("root").shift(1)).cum_sum().over("whole"))
    return continued.select("component", into=pl.col("component").first().over("whole", "turn"))
