"""Incidents from signals: group, rank, and say what happened in a form that can be stored.

Everything here is a pure function of its frames: the same signals and topology give the same
incidents, whatever order they come in and however the time range was cut.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import polars as pl

from correlate import catalog
from correlate.blast import hurt
from correlate.decided import arranged, named, no_pins
from correlate.gather import gathered
from correlate.group import components, with_context
from correlate.kinds import with_facts
from correlate.links import LINK, entity_key, links
from correlate.mentions import stated
from correlate.pauses import taken_apart
from correlate.rank import ranked
from correlate.recur import rejoined
from correlate.render import blast_radius_json, graph_json, root_causes_json, titles
from correlate.rollup import rolled_up
from correlate.sameness import other_names, representatives
from correlate.separate import enough, separated
from correlate.settings import CorrelateSettings

# An incident ends with its last symptom that is at least this share as far beyond notable as its strongest.
_ENDS_WITH = 0.3
_SEVERITIES = ["info", "low", "medium", "high", "critical"]


@dataclass(frozen=True, slots=True)
class Incidents:
    """Assembled incidents: one row each, and one row per signal they hold (role cause, effect or context)."""

    incidents: pl.DataFrame
    members: pl.DataFrame


def assemble(
    signals: pl.DataFrame,
    entities: pl.DataFrame,
    edges: pl.DataFrame,
    now_ns: int,
    tenant: str,
    settings: CorrelateSettings,
    pins: pl.DataFrame | None = None,
) -> Incidents:
    """Group `signals` (columns of engine.Detection.signals) into ranked incidents as of `now_ns`.

    `pins` (columns of decided.PINS) are signals that people put into incidents.
    """
    if signals.is_empty():
        return Incidents(pl.DataFrame(), pl.DataFrame())
    same = representatives(edges)
    edges = pl.concat([edges, stated(signals, entities, edges)])
    known = with_facts(_told_once(signals)).unique(subset="id").sort("onset", "id")
    causal = links(known, edges, catalog.mechanisms(), settings)
    found = components(known, causal).join(known, on="id")
    members = gathered(found, edges, settings).pipe(enough, settings.open_score, settings)
    if members.is_empty():
        return Incidents(pl.DataFrame(), pl.DataFrame())
    alike, alike_links = _merge_same(*rolled_up(members, causal, edges, shared_only=True), same)
    parts = separated(taken_apart(alike, alike_links, settings), alike_links, settings).filter(~pl.col("context"))
    members, inside, candidates = _judged(parts, known, causal, edges, same, settings)
    again = arranged(rejoined(parts, candidates, settings.cooldown_s), no_pins() if pins is None else pins)
    if not again.equals(parts):
        members, inside, candidates = _judged(again, known, causal, edges, same, settings)
    members = members.join(named(_names(members, tenant)), on="component").sort("component", "onset", "id")
    top = candidates.filter(pl.col("rank") == 1).select("component", root="key", root_ids="signal_ids")
    members = _with_roles(members, inside, top)
    rows = _rows(members, inside, candidates, entities, same, edges, now_ns, settings)
    return Incidents(rows, members)


def _judged(
    parts: pl.DataFrame,
    known: pl.DataFrame,
    causal: pl.DataFrame,
    edges: pl.DataFrame,
    same: pl.DataFrame,
    settings: CorrelateSettings,
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Members of the components `parts` (id, component) with their context, links inside, and ranked candidates."""
    members = with_context(parts.select("id", "component"), known, causal).join(known, on="id")
    members = members.sort("component", "onset", "id")
    inside = _inside(causal, members)
    merged, merged_links = _merge_same(*rolled_up(members, inside, edges), same)
    return members, inside, ranked(merged, merged_links, settings)


def _told_once(signals: pl.DataFrame) -> pl.DataFrame:
    """`signals` without commits that turned out to be a deployment's own: that deployment tells of them."""
    revision = pl.col("evidence").str.json_path_match("$.revision")
    deployed = signals.filter(pl.col("kind") == "change.deploy").select(entity=revision).drop_nulls().unique()
    commits = pl.col("kind") == "change.commit"
    return pl.concat([signals.filter(~commits), signals.filter(commits).join(deployed, on="entity", how="anti")])


def _names(members: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """(component, incident_id): a hash of the component's first signal that is not mere context."""
    first = (
        members.filter(~pl.col("context"))
        .sort("onset", "id")
        .group_by("component", maintain_order=True)
        .agg(pl.first("id"))
        .sort("component")
    )
    ids = [hashlib.blake2b(f"{tenant}\x1f{anchor}".encode(), digest_size=8).hexdigest() for anchor in first["id"]]
    return first.select("component").with_columns(incident_id=pl.Series([f"inc-{i}" for i in ids], dtype=pl.String))


def _inside(causal: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Links whose two signals are in one component, with that component."""
    where = members.select("component", "id")
    return (
        causal.join(where, left_on="cause_id", right_on="id")
        .join(where, left_on=["effect_id", "component"], right_on=["id", "component"])
        .select("component", *LINK)
    )


def _merge_same(members: pl.DataFrame, inside: pl.DataFrame, same: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Members and links with each entity replaced by the one it is the same as."""
    to_same = dict(zip(same["key"].to_list(), same["same"].to_list(), strict=True))
    key = entity_key("entity_type", "entity").replace(to_same)
    parts = key.str.split("\x1f")
    merged = members.with_columns(entity_type=parts.list.first(), entity=parts.list.last())
    return merged, inside.with_columns(cause=pl.col("cause").replace(to_same), effect=pl.col("effect").replace(to_same))


def _with_roles(members: pl.DataFrame, inside: pl.DataFrame, top: pl.DataFrame) -> pl.DataFrame:
    """`members` with `role` as the incident sees it: cause, effect or context."""
    causes = top.explode("root_ids", empty_as_null=False).select(
        "component", id="root_ids", is_cause=pl.lit(value=True)
    )
    return (
        members.join(causes, on=["component", "id"], how="left")
        .with_columns(
            role=pl.when(pl.col("is_cause"))
            .then(pl.lit("cause"))
            .when(pl.col("context"))
            .then(pl.lit("context"))
            .otherwise(pl.lit("effect")),
        )
        .drop("is_cause")
    )


def _rows(
    members: pl.DataFrame,
    inside: pl.DataFrame,
    candidates: pl.DataFrame,
    entities: pl.DataFrame,
    same: pl.DataFrame,
    edges: pl.DataFrame,
    now_ns: int,
    settings: CorrelateSettings,
) -> pl.DataFrame:
    core = members.filter(~pl.col("context"))
    best = core.group_by("component", "family").agg(pl.max("score"))
    certainty = best.group_by("component").agg(score=(1.0 - (1.0 - pl.col("score") / 11.0).product()).round(6))
    # Judges look back over many answers: what they say of an effect outlasts it.
    lagging = (pl.col("family") == "quality") & (pl.col("role") == "effect")
    # Faint symptoms trail on, and may be another fault's by then.
    beyond = pl.when(pl.col("context") | lagging).then(0.0).otherwise(pl.col("score") - settings.min_score)
    # As long as the root itself looks wrong, however faintly, nothing is over; a change is made once.
    ailing = (pl.col("role") == "cause") & (pl.col("family") != "change")
    now = pl.lit(now_ns).cast(members.schema["until"])
    names = other_names(same)
    return (
        members.group_by("component", "incident_id")
        .agg(
            started_at=pl.col("onset").filter(~pl.col("context")).min(),
            last=pl.col("until")
            .filter(~pl.col("context") & ~lagging & ((beyond >= _ENDS_WITH * beyond.max()) | ailing))
            .max(),
            longest=pl.col("until").filter(~pl.col("context")).max(),
            entities=pl.col("entity").unique().sort(),
            signal_count=pl.len().cast(pl.UInt32),
        )
        .with_columns(last=pl.coalesce("last", "longest"))
        .join(certainty, on="component")
        .join(severities(members), on="component")
        .join(titles(candidates), on="component")
        .join(root_causes_json(candidates, entities, names), on="component")
        .join(blast_radius_json(hurt(members, inside, edges, candidates)), on="component", how="left")
        .join(graph_json(members, inside), on="component", how="left")
        .with_columns(over=pl.col("last") + pl.duration(seconds=settings.quiet_s) < now)
        .with_columns(
            state=pl.when(pl.col("over")).then(pl.lit("resolved")).otherwise(pl.lit("open")),
            ended_at=pl.when(pl.col("over")).then("last"),
            updated_at=pl.col("last"),
            blast_radius=pl.col("blast_radius").fill_null("[]"),
            graph=pl.col("graph").fill_null('{"nodes":[],"edges":[]}'),
        )
        .drop("over", "last", "longest")
        .sort("started_at", "incident_id")
    )


def severities(members: pl.DataFrame) -> pl.DataFrame:
    """(component, severity): the worst of the causes, one step lower when nothing else was hurt."""
    level = pl.col("severity").replace_strict(
        _SEVERITIES, list(range(len(_SEVERITIES))), default=1, return_dtype=pl.Int64
    )
    worst = (
        members.with_columns(level=level)
        .group_by("component")
        .agg(
            cause=pl.col("level").filter(pl.col("role") == "cause").max(),
            hurt=pl.col("level").filter(pl.col("role") == "effect").max(),
        )
    )
    lonely = pl.col("hurt").is_null().cast(pl.Int64)
    final = pl.max_horizontal(
        pl.col("cause").fill_null(1) - lonely, pl.min_horizontal(pl.col("hurt").fill_null(0), pl.lit(3))
    )
    return worst.select(
        "component",
        severity=final.clip(0, 4).replace_strict(list(range(len(_SEVERITIES))), _SEVERITIES, return_dtype=pl.String),
    )
