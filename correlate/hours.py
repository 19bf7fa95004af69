"""Whole hours of slowly drifting metrics: added to the store once, when a pass first reaches their end."""

from __future__ import annotations

from store import Store

HOUR_NS = 3600 * 10**9
# Hours that one statement adds at most: it has to end within the store's time limit.
_AT_ONCE = 96


def learn(store: Store, tenant: str, start: int, end: int) -> None:
    """Add the hours of [start, end), nanoseconds at full hours, that are not there, and the last one anew."""
    params: dict[str, str | int] = {"tenant": tenant, "start": start, "end": end}
    known = {int(row["hour"]) for row in store.rows("known_hours", params)} - {end - HOUR_NS}
    for first, last in _stretches([hour for hour in range(start, end, HOUR_NS) if hour not in known]):
        span = params | {"start": first, "end": last}
        # Hours may be older than any window that was judged.
        store.execute("learn_series", span)
        store.execute("learn_hours", span)


def _stretches(hours: list[int]) -> list[tuple[int, int]]:
    """[first, last) of consecutive hours."""
    found: list[tuple[int, int]] = []
    for hour in hours:
        begun, end = found[-1] if found else (0, -1)
        if end == hour and hour - begun < _AT_ONCE * HOUR_NS:
            found[-1] = (begun, hour + HOUR_NS)
        else:
            found.append((hour, hour + HOUR_NS))
    return found
