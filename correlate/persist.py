"""Writing passes and incidents so that doing it again changes nothing.

Every table replaces by key and version; what a recomputation no longer finds is withdrawn with a
tombstone row, never edited in place.
"""

from __future__ import annotations

import polars as pl

from correlate.decided import with_decisions
from correlate.engine import Detection
from correlate.incident import Incidents
from correlate.journal import Author, changes, signed
from correlate.signals import TIME
from store import Store, Window
from store.versions import following

_SIGNAL_COLUMNS = {
    "id": "SignalId", "rule": "Rule", "family": "Family", "kind": "Kind", "entity_type": "EntityType",
    "entity": "EntityName", "onset": "Onset", "until": "Until", "score": "Score", "direction": "Direction",
    "value": "Value", "baseline": "Baseline", "severity": "Severity", "explanation": "Explanation",
    "evidence": "Evidence",
}  # fmt: skip
_INCIDENT_COLUMNS = {
    "incident_id": "IncidentId", "title": "Title", "state": "State", "severity": "Severity", "started_at": "StartedAt",
    "ended_at": "EndedAt", "updated_at": "UpdatedAt", "score": "Score", "root_causes": "RootCauses",
    "blast_radius": "BlastRadius", "graph": "Graph", "entities": "Entities", "signal_count": "SignalCount",
}  # fmt: skip


def _time(nanos: int) -> pl.Expr:
    return pl.lit(nanos).cast(TIME)


def _versioned(frame: pl.DataFrame, tenant: str, version: int, *, deleted: bool = False) -> pl.DataFrame:
    return frame.with_columns(
        Tenant=pl.lit(tenant), Version=pl.lit(version, pl.UInt64), IsDeleted=pl.lit(int(deleted), pl.UInt8)
    )


def _window(window: Window, tenant: str) -> dict[str, str | int]:
    return {"tenant": tenant, "start": window.start, "end": window.end}


def _said(window: Window) -> int:
    """Version of what a pass over `window` says: a later window's word stands, whichever was judged first.

    Above every clock, which versions of earlier releases were.
    """
    return 4 * 10**18 + window.end


def save_pass(store: Store, tenant: str, detection: Detection, began_ns: int) -> None:
    """Store that a window was judged by a pass that began to read at `began_ns`."""
    window = detection.window
    row = pl.DataFrame({"Tenant": [tenant]}).with_columns(
        WindowStart=_time(window.start),
        WindowEnd=_time(window.end),
        JudgedAt=_time(began_ns).dt.cast_time_unit("ms"),
        Signals=pl.lit(detection.signals.height, pl.UInt64),
        Failures=pl.lit(len(detection.failures), pl.UInt16),
        Policy=pl.lit(detection.policy),
        TracesOneIn=pl.lit(detection.traces_one_in, pl.UInt32),
    )
    store.insert_frame("correlation_passes", row)


def save_detection(store: Store, tenant: str, detection: Detection, version: int) -> None:
    """Store one pass: its signals (withdrawing those of the window it no longer finds), topology and failures."""
    window = detection.window
    rows = (
        detection.signals.rename(_SIGNAL_COLUMNS)
        .select(*_SIGNAL_COLUMNS.values())
        .with_columns(WindowStart=_time(window.start), WindowEnd=_time(window.end), Policy=pl.lit(detection.policy))
    )
    before = store.frame("correlate_window_signals", _window(window, tenant)).collect()
    gone = before.join(rows, on="SignalId", how="anti").drop("Tenant", "Version", "IsDeleted")
    said = _said(window)
    store.insert_frame("signals", _versioned(gone, tenant, said, deleted=True))
    store.insert_frame("signals", _versioned(rows, tenant, said))
    _save_entities(store, tenant, detection, version)
    _save_edges(store, tenant, detection, said)
    failures = pl.DataFrame(
        {"Rule": [f.rule for f in detection.failures], "Error": [f.reason for f in detection.failures]},
        schema={"Rule": pl.String, "Error": pl.String},
    )
    store.insert_frame(
        "rule_failures",
        failures.with_columns(Tenant=pl.lit(tenant), WindowStart=_time(window.start), WindowEnd=_time(window.end)),
    )


def _save_entities(store: Store, tenant: str, detection: Detection, version: int) -> None:
    known = store.frame("correlate_entities", {"tenant": tenant}).collect()
    none = pl.lit([], pl.List(pl.String))
    seen = (
        detection.entities.join(known, on=["type", "name"], how="left", suffix="_known")
        .with_columns(
            merged=pl.concat_list(pl.col("aliases").fill_null(none), pl.col("aliases_known").fill_null(none))
            .list.unique()
            .list.sort()
        )
        # An entity already known under the same names is not written again within the hour.
        .filter(
            pl.col("last_seen").is_null()
            | (pl.col("merged") != pl.col("aliases_known").fill_null(none).list.sort())
            | (pl.col("last_seen") + pl.duration(hours=1) < _time(detection.window.end))
        )
        .select(
            EntityType="type",
            EntityName="name",
            Aliases="merged",
            FirstSeen=pl.min_horizontal(pl.col("first_seen"), _time(detection.window.start)),
            LastSeen=pl.max_horizontal(pl.col("last_seen"), _time(detection.window.end)),
        )
    )
    store.insert_frame("entities", _versioned(seen, tenant, version).drop("IsDeleted"))


def _save_edges(store: Store, tenant: str, detection: Detection, version: int) -> None:
    # One row per edge and hour keeps re-runs idempotent while the interval it was seen in grows.
    rows = detection.edges.select(
        Kind="kind",
        SrcType="src_type",
        SrcName="src",
        DstType="dst_type",
        DstName="dst",
        ValidFrom=pl.col("valid_from").cast(TIME).dt.truncate("1h"),
        ValidTo=pl.col("valid_to").cast(TIME),
        Weight=pl.col("weight").cast(pl.Float64),
    )
    store.insert_frame("entity_edges", _versioned(rows, tenant, version).drop("IsDeleted"))


def save_incidents(
    store: Store, tenant: str, found: Incidents, judged: Window, horizon: Window, version: int, by: Author | None = None
) -> int:
    """Store the incidents that touch `judged`, keeping the ids of those already known, and withdraw the rest.

    Returns how many incidents now stand in `judged`.
    """
    params = _window(judged, tenant)
    existing = store.frame("correlate_members", _window(horizon, tenant)).collect()
    incidents, members = _touching(found, judged)
    pinned = store.frame("pins", _window(horizon, tenant) | {"id": ""}).collect()["target"].unique()
    renamed = _kept_ids(members, existing, pinned)
    rows = (
        incidents.join(renamed, on="incident_id", how="left")
        .with_columns(incident_id=pl.coalesce("kept", "incident_id"))
        .rename(_INCIDENT_COLUMNS)
        .select(*_INCIDENT_COLUMNS.values())
    )
    rows = _decided(store, tenant, rows, members, renamed)
    held = (
        members.join(renamed, on="incident_id", how="left")
        .select(IncidentId=pl.coalesce("kept", "incident_id"), SignalId="id", Role="role")
        .unique(subset=["IncidentId", "SignalId"])
    )
    old_rows = store.frame("correlate_incidents_full", params).collect()
    old_held = store.frame("correlate_incident_signals_full", params).collect()
    bookkeeping = ["Tenant", "Version", "IsDeleted"]
    # Events bear the time of this pass; rows are to stand above those that they replace.
    at, version = version, following(*old_rows["Version"].to_list(), *old_held["Version"].to_list())
    gone = old_rows.join(rows, on="IncidentId", how="anti").drop(bookkeeping)
    let_go = old_held.join(held, on=["IncidentId", "SignalId"], how="anti").drop(bookkeeping)
    store.insert_frame("incident_signals", _versioned(let_go, tenant, version, deleted=True))
    store.insert_frame("incident_signals", _versioned(held, tenant, version))
    store.insert_frame("incidents", _versioned(gone, tenant, version, deleted=True))
    store.insert_frame("incidents", _versioned(rows, tenant, version))
    known = existing.select(IncidentId="incident_id", SignalId="id")
    save_events(store, tenant, signed(changes(old_rows, rows, known, held), by), at)
    return rows.height


def _decided(
    store: Store, tenant: str, rows: pl.DataFrame, members: pl.DataFrame, renamed: pl.DataFrame
) -> pl.DataFrame:
    """`rows` with the states that people set."""
    decisions = store.frame("decisions", {"tenant": tenant, "ids": rows["IncidentId"].to_list()}).collect()
    if decisions.is_empty() or rows.is_empty():
        return rows
    kept = members.join(renamed, on="incident_id", how="left").with_columns(
        incident_id=pl.coalesce("kept", "incident_id")
    )
    return with_decisions(rows, kept, decisions)


def save_events(store: Store, tenant: str, events: pl.DataFrame, version: int) -> None:
    """Append to the incidents' history. `version` is the time of the pass in nanoseconds."""
    at = pl.lit(version // 1_000_000).cast(pl.Datetime("ms", "UTC"))
    store.insert_frame(
        "incident_events",
        events.with_columns(Tenant=pl.lit(tenant), At=at, Version=pl.lit(version, pl.UInt64)),
    )


def _touching(found: Incidents, judged: Window) -> tuple[pl.DataFrame, pl.DataFrame]:
    if found.incidents.is_empty():
        columns: dict[str, pl.DataType] = dict.fromkeys(_INCIDENT_COLUMNS, pl.String())
        columns |= dict.fromkeys(("started_at", "ended_at", "updated_at"), TIME)
        columns |= {"score": pl.Float64(), "entities": pl.List(pl.String()), "signal_count": pl.UInt32()}
        members = dict.fromkeys(("incident_id", "id", "role"), pl.String())
        return pl.DataFrame(schema=columns), pl.DataFrame(schema=members)
    touching = found.incidents.filter(
        pl.col("started_at") < _time(judged.end), pl.col("updated_at") >= _time(judged.start)
    )
    return touching, found.members.join(touching, on="incident_id", how="semi")


def _kept_ids(members: pl.DataFrame, existing: pl.DataFrame, pinned: pl.Series) -> pl.DataFrame:
    """(incident_id, kept): the known incident each new one continues, by most signals shared, one to one.

    Those that people put together are `pinned`: they keep their ids, and nothing else gets one of these.
    """
    stays = members.filter(pl.col("incident_id").is_in(pinned.implode()))["incident_id"].unique()
    existing = existing.filter(~pl.col("incident_id").is_in(stays.implode()))
    shared = (
        members.filter(~pl.col("incident_id").is_in(stays.implode()))
        .select("incident_id", "id")
        .join(existing.rename({"incident_id": "kept"}), on="id")
        .group_by("incident_id", "kept")
        .agg(shared=pl.len(), started_at=pl.min("started_at"))
        .sort("shared", "started_at", "kept", descending=[True, False, False])
    )
    return (
        shared.unique(subset="incident_id", keep="first", maintain_order=True)
        .unique(subset="kept", keep="first", maintain_order=True)
        .select("incident_id", "kept")
    )
