"""Whole passes over frames, and what they say in a form that two of them can be compared in."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import polars as pl

from correlate.engine import Detection, run
from correlate.incident import Incidents, assemble
from correlate.settings import CorrelateSettings
from store import Window
from tests.kit.recorded import Telemetry

SETTINGS = CorrelateSettings()
Picture = list[dict[str, Any]]


def judged(telemetry: Telemetry, steps: Sequence[Window]) -> Incidents:
    """Detect over each window, keep what a store would keep of them, and assemble the incidents."""
    passes = [run(telemetry.frames(step, SETTINGS.history_s), "default", SETTINGS) for step in steps]
    assert not [failure for found in passes for failure in found.failures]
    signals = pl.concat([found.signals for found in passes]).drop("seen")
    # The same signal from a later window replaces the one before.
    signals = signals.unique(subset="id", keep="last", maintain_order=True).sort("onset", "id")
    return assemble(signals, _entities(passes), _edges(passes), steps[-1].end, "default", SETTINGS)


def _entities(passes: Sequence[Detection]) -> pl.DataFrame:
    rows = pl.concat([found.entities for found in passes]).explode("aliases", empty_as_null=True)
    aliases = pl.col("aliases").drop_nulls().unique().sort()
    return rows.group_by("type", "name").agg(aliases).sort("type", "name")


def _edges(passes: Sequence[Detection]) -> pl.DataFrame:
    keys = ["kind", "src_type", "src", "dst_type", "dst"]
    rows = pl.concat([found.edges for found in passes])
    return rows.group_by(keys).agg(pl.min("valid_from"), pl.max("valid_to"), pl.max("weight")).sort(keys)


def picture(
    found: Incidents, *, ids: bool = True, moved_ns: int = 0, named: Callable[[str], str] = lambda text: text
) -> Picture:
    """Everything that incidents say, with times moved back by `moved_ns` and every text given to `named`.

    Without `ids`, what is a hash of names and times is left out.
    """
    if found.incidents.is_empty():
        return []
    shown = [_incident(row, moved_ns, named) for row in found.incidents.to_dicts()]
    roles = found.members.select("incident_id", "id", "kind", "entity", "role", "score", "onset", "until")
    for incident in shown:
        own = roles.filter(pl.col("incident_id") == incident["id"]).to_dicts()
        incident["signals"] = sorted(
            (
                row["kind"], named(row["entity"]), row["role"], round(row["score"], 6),
                _ns(row["onset"], moved_ns), _ns(row["until"], moved_ns), row["id"] if ids else "",
            )
            for row in own
        )  # fmt: skip
        if not ids:
            del incident["id"]
    return shown


def _incident(row: dict[str, Any], moved_ns: int, named: Callable[[str], str]) -> dict[str, Any]:
    return {
        "id": row["incident_id"],
        "title": named(row["title"]),
        "severity": row["severity"],
        "state": row["state"],
        "score": row["score"],
        "began": _ns(row["started_at"], moved_ns),
        "last": _ns(row["updated_at"], moved_ns),
        "causes": [
            (
                cause["rank"], cause["entity"]["type"], named(cause["entity"]["name"]), cause["kind"], cause["score"],
                named(cause["explanation"]), cause["action"], sorted(map(named, cause["entity"]["aliases"])),
            )
            for cause in json.loads(row["root_causes"])
        ],
        "hurt": sorted((entity["type"], named(entity["name"])) for entity in json.loads(row["blast_radius"])),
    }  # fmt: skip


def _ns(moment: datetime, moved_ns: int) -> int:
    """Microseconds are as much as datetime holds; polars gives no more in rows."""
    return round(moment.timestamp() * 1e6) * 1000 - moved_ns
