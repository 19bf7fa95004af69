"""Stretches of telemetry that incidents pin: the whole tenant's, from before their start to after their end.

Not only the rows of the entities involved: a post-mortem asks what else happened, and what did not (docs/adr/0028).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from store.client import Store
from store.retention.policy import RetentionPolicy

_MINUTE = 60 * 10**9
_HOUR = 60 * _MINUTE


@dataclass(frozen=True, slots=True)
class Pin:
    """An incident and the range that it pins, in nanoseconds; telemetry may go `until` plus its own days."""

    tenant: str
    incident: str
    title: str
    severity: str
    start: int
    end: int
    until: int


def pins(store: Store, policy: RetentionPolicy, now_ns: int) -> list[Pin]:
    """Every incident that pins something, by tenant and start. Raises StoreError."""
    rules = policy.pins
    if not rules.months:
        return []
    params = {"now": now_ns, "months": rules.months, "severities": rules.severities}
    margin, longest = rules.margin_minutes * _MINUTE, rules.longest_hours * _HOUR
    return [
        Pin(
            tenant=row["tenant"],
            incident=row["id"],
            title=row["title"],
            severity=row["severity"],
            start=row["start"] - margin,
            end=min(row["end"], row["start"] + longest) + margin,
            until=row["until"],
        )
        for row in store.rows("retention_pins", params)
    ]


def merged(found: Iterable[Pin]) -> dict[str, list[tuple[int, int]]]:
    """Ranges by tenant, in order, those that touch made one."""
    ranges: dict[str, list[tuple[int, int]]] = {}
    for pin in sorted(found, key=lambda pin: (pin.tenant, pin.start)):
        own = ranges.setdefault(pin.tenant, [])
        if own and pin.start <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], pin.end))
        else:
            own.append((pin.start, pin.end))
    return ranges


def columns(ranges: dict[str, list[tuple[int, int]]]) -> dict[str, list[str] | list[int]]:
    """The same as parameters of retention_rows.sql and retention_delete_day.sql."""
    flat = [(tenant, start, end) for tenant, own in ranges.items() for start, end in own]
    return {
        "pinned": [tenant for tenant, _, _ in flat],
        "starts": [start for _, start, _ in flat],
        "ends": [end for _, _, end in flat],
    }
