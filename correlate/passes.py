"""Passes over time: back-fills in aligned windows, and the live pass over the last minutes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from correlate.engine import Detection, detect
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from store import Store, Window

_NS = 1_000_000_000
Progress = Callable[[int, int, int], None]


def windows(start: int, end: int, step_s: int) -> list[Window]:
    """Windows of `step_s` aligned to the epoch that cover [start, end) nanoseconds."""
    step = step_s * _NS
    first, last = start // step * step, -(-end // step) * step
    return [Window(t, t + step) for t in range(first, last, step)]


def correlate_range(
    store: Store, tenant: str, window: Window, settings: CorrelateSettings, progress: Progress | None = None
) -> tuple[int, int]:
    """Detect over every window that covers `window`, then rebuild its incidents.

    Calls `progress(done, total, signals)` after each window. Returns (signals, incidents). Safe
    to run again: the same telemetry gives the same rows.
    """
    steps = windows(window.start, window.end, settings.step_s)
    signals = 0
    for done, detection in enumerate(_detections(store, tenant, steps, settings), start=1):
        signals += detection.signals.height
        if progress:
            progress(done, len(steps), signals)
    if not steps:
        return 0, 0
    judged = Window(steps[0].start, steps[-1].end)
    return signals, rebuild_incidents(store, tenant, judged, settings, now_ns=min(judged.end, time.time_ns()))


def _detections(store: Store, tenant: str, steps: list[Window], settings: CorrelateSettings) -> Iterator[Detection]:
    for step in steps:
        detection = detect(store, tenant, step, settings)
        save_detection(store, tenant, detection, version=time.time_ns())
        yield detection


def rebuild_incidents(store: Store, tenant: str, judged: Window, settings: CorrelateSettings, now_ns: int) -> int:
    """Assemble the incidents touching `judged` from stored signals and topology; returns how many."""
    margin = int(settings.horizon_s * _NS)
    horizon = Window(judged.start - margin, judged.end + margin)
    params = {"tenant": tenant, "start": horizon.start, "end": horizon.end}
    found = assemble(
        store.frame("correlate_signals", params).collect(),
        store.frame("correlate_entities", {"tenant": tenant}).collect(),
        store.frame("correlate_edges", params).collect(),
        now_ns,
        tenant,
        settings,
    )
    return save_incidents(store, tenant, found, judged, horizon, version=time.time_ns())


def live_pass(store: Store, tenant: str, settings: CorrelateSettings, now_ns: int) -> tuple[int, int]:
    """Judge the last `live_window_s` seconds; returns (signals, incidents), (0, 0) when nothing was received."""
    grid = 30 * _NS
    end = -(-now_ns // grid) * grid
    window = Window(end - settings.live_window_s * _NS, end)
    params = {"tenant": tenant, "start": window.start, "end": window.end}
    if not store.arrow("correlate_activity", params)["active"][0].as_py():
        return 0, 0
    detection = detect(store, tenant, window, settings)
    save_detection(store, tenant, detection, version=time.time_ns())
    return detection.signals.height, rebuild_incidents(store, tenant, window, settings, now_ns)
