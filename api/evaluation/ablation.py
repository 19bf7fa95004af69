"""Scores without one part of the correlator: each family of evidence, topology, calibration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from api.evaluation.labels import Labels, read_faults
from api.evaluation.scoring import labelled_span, score
from api.times import format_time
from correlate.ablation import Progress, variants
from correlate.passes import windows
from correlate.settings import CorrelateSettings
from store import Store, Window

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Without:
    """Scores with `off` switched off; shares in 0..1."""

    off: str
    ac1: float
    ac3: float
    blast_jaccard: float | None
    detected: float
    incidents: int


def ablation(
    store: Store,
    tenant: str,
    covered: Window,
    labels: Labels,
    accept: Sequence[str],
    settings: CorrelateSettings,
    progress: Progress | None = None,
) -> list[Without]:
    """One row for each thing that can be off, the first for nothing; `covered` is the time of the telemetry."""
    steps = windows(covered.start, covered.end, settings.step_s)
    judged = Window(steps[0].start, steps[-1].end)
    first, last = labelled_span(read_faults(labels, accept))
    rows = []
    for off, found in variants(store, tenant, judged, settings, progress):
        shown = [incident for incident in listed(found.incidents) if _asked(incident, first, last)]
        card = score(labels, shown, accept)
        rows.append(Without(off, card.ac1, card.ac3, card.blast_jaccard, card.detected, card.incidents))
    return rows


def listed(incidents: pl.DataFrame) -> list[Json]:
    """Incidents as the API lists them, as far as scores look."""
    if incidents.is_empty():
        return []
    times = pl.col("started_at", "ended_at", "updated_at").dt.epoch("ns")
    chosen = incidents.with_columns(times).select(
        "incident_id", "severity", "started_at", "ended_at", "updated_at", "root_causes", "blast_radius"
    )
    return [
        {
            "id": row["incident_id"],
            "severity": row["severity"],
            "started": row["started_at"] / 1e9,
            "ended": None if row["ended_at"] is None else row["ended_at"] / 1e9,
            "started_at": format_time(row["started_at"]),
            "ended_at": None if row["ended_at"] is None else format_time(row["ended_at"]),
            "updated_at": format_time(row["updated_at"]),
            "root_causes": json.loads(row["root_causes"]),
            "blast_radius": json.loads(row["blast_radius"]),
        }
        for row in chosen.to_dicts()
    ]


def _asked(incident: Json, first: float, last: float) -> bool:
    """Whether the API's list has it when asked for what was going on between `first` and `last`."""
    return incident["started"] <= last and (incident["ended"] is None or incident["ended"] >= first)
