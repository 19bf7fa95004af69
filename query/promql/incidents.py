"""Incidents as series: `incident_active`, `incident_score` of each ranked cause, and `ALERTS`.

A series is 1, or the score, from an incident's start to its end, and stale afterwards. Labels are what the incident is
now: a title or severity that changed meanwhile changed for all of its time.
"""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np

from query.promql.points import Run
from query.promql.values import NAME, STALE, Labels
from store import Store

METRICS = ("incident_active", "incident_score", "ALERTS")
# Most incidents of one answer: the newest.
MOST = 2000
# Samples are this far apart, milliseconds: dense enough for the lookback of five minutes, few enough for a year.
_FINEST, _COARSEST, _ABOUT = 15_000, 240_000, 2000


def runs(store: Store, tenant: str, start: int, end: int) -> list[Run]:
    """All series of incidents with samples in (start, end], milliseconds."""
    now = time.time_ns() // 1_000_000
    spacing = min(max((end - start) // _ABOUT, _FINEST), _COARSEST)
    found: list[Run] = []
    for row in rows(store, tenant, start, end):
        closes = ended(row)
        times = _times(row["started"], closes, max(start, row["started"] - 1), min(end, now), spacing)
        if not len(times):
            continue
        stale = closes is not None and times[-1] == closes
        for labels, value in series(row):
            values = np.full(len(times), value)
            if stale:
                values[-1] = STALE
            found.append(Run(labels, times, values))
    return found


def rows(store: Store, tenant: str, start: int, end: int) -> list[dict[str, Any]]:
    """Incidents that overlap (start, end], milliseconds; causes and reach parsed."""
    found = store.rows("promql_incidents", {"tenant": tenant, "start": start, "end": end, "limit": MOST})
    for row in found:
        for name in ("root_causes", "blast_radius"):
            parsed = json.loads(row[name]) if row[name] else []
            row[name] = parsed if isinstance(parsed, list) else []
    return found


def ended(row: dict[str, Any]) -> int | None:
    """When an incident ended, milliseconds; None while it goes on."""
    if row["ended"] is not None:
        return int(row["ended"])
    return int(row["updated"]) if row["state"] == "resolved" else None


def common(row: dict[str, Any]) -> Labels:
    """Labels that every series of an incident has."""
    found = {
        "incident_id": row["id"], "title": row["title"], "severity": row["severity"], "state": row["state"],
        "service": service(row),
    }  # fmt: skip
    return {name: str(value) for name, value in found.items() if value}


def service(row: dict[str, Any]) -> str:
    """The service an incident is about: of its causes, or of what it reached."""
    entities = [cause.get("entity", {}) for cause in row["root_causes"]] + list(row["blast_radius"])
    return next((str(each.get("name", "")) for each in entities if each.get("type") == "service"), "")


def alert_name(row: dict[str, Any]) -> str:
    """What an incident is called as an alert: the kind of its first cause."""
    return next((str(cause["kind"]) for cause in row["root_causes"] if cause.get("kind")), "incident")


def series(row: dict[str, Any]) -> list[tuple[Labels, float]]:
    """Labels and values of an incident's series."""
    labels = common(row)
    found = [({NAME: "incident_active"} | labels, 1.0)]
    found.append(({NAME: "ALERTS", "alertname": alert_name(row), "alertstate": "firing"} | labels, 1.0))
    for cause in row["root_causes"]:
        entity = cause.get("entity", {})
        named = {
            NAME: "incident_score", "incident_id": row["id"], "rank": str(cause.get("rank", "")),
            "cause": str(entity.get("name", "")), "cause_type": str(entity.get("type", "")),
            "kind": str(cause.get("kind", "")), "service": labels.get("service", ""),
        }  # fmt: skip
        found.append(({name: value for name, value in named.items() if value}, float(cause.get("score", 0.0))))
    return found


def _times(started: int, closes: int | None, after: int, until: int, spacing: int) -> np.ndarray:
    """Sample times in (after, until] of an incident: its start, a grid, and its end when it has one."""
    last = until if closes is None else min(until, closes)
    first = (max(after, started) // spacing + 1) * spacing
    times = np.arange(first, last + 1, spacing, dtype=np.int64)
    extra = [each for each in (started, closes) if each is not None and after < each <= until]
    return np.unique(np.concatenate([times, np.array(extra, dtype=np.int64)]))
