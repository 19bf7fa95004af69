"""Telemetry that came after its time was judged: which windows have to be judged again.

Every pass leaves a row with the moment it began to read. What was stored later, by InsertTime, it cannot have seen:
an exporter that was cut off, a collector's queue, a correlator that was down.
"""

from __future__ import annotations

import time

from correlate import jobs
from correlate.passes import windows
from correlate.settings import CorrelateSettings
from store import Store, Window

_NS, _MS = 1_000_000_000, 1_000_000
# A row has the time at which its insert began, and is seen when that ended.
_GRACE_MS = 5_000
# Earlier arrivals that a sweep looks at once more, in case the one before it was lost.
_OVERLAP_S = 900


def late_windows(store: Store, tenant: str, settings: CorrelateSettings, now_ns: int) -> list[Window]:
    """Aligned windows, newest first, with telemetry that no pass has seen, older than what live passes judge."""
    settled = now_ns - (settings.live_window_s + round(2 * settings.live_every_s)) * _NS
    start = now_ns - round(settings.late_s) * _NS
    last = int(store.rows("last_pass", {"tenant": tenant})[0]["at"])
    since = max(min(last, now_ns // _MS) - _OVERLAP_S * 1000, start // _MS)
    params = {"tenant": tenant, "start": start, "end": settled, "since": since, "grace": _GRACE_MS}
    minutes = [row["minute"] for row in store.rows("late_minutes", params)]
    step = settings.step_s
    found = {window.start: window for minute in minutes for window in windows(minute, minute + 1, step)}
    return [found[key] for key in sorted(found, reverse=True)]


def queue_late(store: Store, tenant: str, settings: CorrelateSettings) -> int:
    """Queue a job for each late window, `late_windows` of them at most; returns how many."""
    if not settings.late_s:
        return 0
    chosen = late_windows(store, tenant, settings, time.time_ns())[: settings.late_windows]
    for window in chosen:
        jobs.submit(store, tenant, window.start, window.end)
    return len(chosen)
