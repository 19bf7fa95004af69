"""Incidents as Prometheus tells of alerts: a rule for each kind of cause, and an alert for each open incident."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from api.prometheus.params import Params
from query.promql import incidents
from query.promql.number import formatted
from query.promql.source import Matcher, matches
from store import Store

_GROUP, _FILE = "incidents", "causeline"
_WEEK_MS = 7 * 86_400_000


def alerts(store: Store, tenant: str, now: int) -> list[dict[str, Any]]:
    """Open incidents as firing alerts."""
    return [_alert(row) for row in incidents.rows(store, tenant, now - 1, now) if incidents.ended(row) is None]


def groups(
    store: Store, tenant: str, now: int, params: Params, chosen: Sequence[Sequence[Matcher]]
) -> list[dict[str, Any]]:
    """One group with a rule for each kind of incident of the last week, open or not."""
    if (
        params.text("type", "") == "record"
        or not _wanted(params, "rule_group[]", _GROUP)
        or not _wanted(params, "file[]", _FILE)
    ):
        return []
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in incidents.rows(store, tenant, now - _WEEK_MS, now):
        by_name.setdefault(incidents.alert_name(row), []).append(row)
    bare = params.text("exclude_alerts", "false") in ("1", "true")
    rules = [
        _rule(name, rows, now, bare=bare) for name, rows in sorted(by_name.items())
        if _wanted(params, "rule_name[]", name) and (not chosen or _one_of(name, chosen))
    ]  # fmt: skip
    if not rules:
        return []
    return [{
        "name": _GROUP, "file": _FILE, "interval": 60, "limit": 0, "evaluationTime": 0, "lastEvaluation": _time(now),
        "rules": rules,
    }]  # fmt: skip


def _one_of(name: str, chosen: Sequence[Sequence[Matcher]]) -> bool:
    return any(matches({"alertname": name}, each) for each in chosen)


def _wanted(params: Params, name: str, value: str) -> bool:
    chosen = params.all(name)
    return not chosen or value in chosen


def _rule(name: str, rows: list[dict[str, Any]], now: int, *, bare: bool) -> dict[str, Any]:
    firing = [_alert(row) for row in rows if incidents.ended(row) is None]
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    rule: dict[str, Any] = {
        "type": "alerting", "name": name, "query": f'ALERTS{{alertname="{quoted}"}}', "duration": 0, "keepFiringFor": 0,
        "labels": {}, "annotations": {}, "alerts": [] if bare else firing, "health": "ok",
        "state": "firing" if firing else "inactive", "lastEvaluation": _time(now), "evaluationTime": 0,
    }  # fmt: skip
    return rule


def _alert(row: dict[str, Any]) -> dict[str, Any]:
    causes = row["root_causes"]
    return {
        "labels": {"alertname": incidents.alert_name(row)}
        | {n: v for n, v in incidents.common(row).items() if n != "title"},
        "annotations": {
            "summary": row["title"],
            "description": str(causes[0].get("explanation", "")) if causes else "",
        },
        "state": "firing",
        "activeAt": _time(row["started"]),
        "value": formatted(1.0),
    }


def _time(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
