"""Passes over time: back-fills in aligned windows, and the live pass over the last minutes."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager

from correlate.engine import Detection, detect, run
from correlate.frames import Frames
from correlate.incident import Incidents, assemble
from correlate.journal import Author
from correlate.persist import save_detection, save_incidents, save_pass
from correlate.settings import CorrelateSettings
from correlate.turns import turn
from store import Store, Window
from store.versions import following

_NS = 1_000_000_000


def saving(store: Store, tenant: str) -> AbstractContextManager[None]:
    """The tenant's turn to write: aliases are read, joined and written, and ids of incidents kept."""
    return turn(store, tenant, "save")


def windows(start: int, end: int, step_s: int) -> list[Window]:
    """Windows of `step_s` aligned to the epoch that cover [start, end) nanoseconds."""
    step = step_s * _NS
    first, last = start // step * step, -(-end // step) * step
    return [Window(t, t + step) for t in range(first, last, step)]


def judge(store: Store, tenant: str, window: Window, settings: CorrelateSettings) -> int:
    """Detect over one window and store what was found; returns the number of signals.

    Safe to run again, beside others and in any order: the same telemetry gives the same rows.
    """
    # Whatever is stored while this reads may have been missed by it.
    began = time.time_ns()
    if active(store, tenant, window):
        detection = detect(store, tenant, window, settings)
    else:
        # Hours without telemetry cost next to nothing, and what was found there before is withdrawn.
        detection = run(Frames(window, window.start), tenant, settings, rules=())
    return _kept(store, tenant, detection, began)


def _kept(store: Store, tenant: str, detection: Detection, began_ns: int) -> int:
    with saving(store, tenant):
        save_detection(store, tenant, detection, version=following())
        save_pass(store, tenant, detection, began_ns)
    return detection.signals.height


def active(store: Store, tenant: str, window: Window) -> bool:
    """Whether any telemetry of the tenant bears a time in the window."""
    params = {"tenant": tenant, "start": window.start, "end": window.end}
    return bool(store.arrow("correlate_activity", params)["active"][0].as_py())


def correlate_range(store: Store, tenant: str, window: Window, settings: CorrelateSettings) -> tuple[int, int]:
    """Judge every window that covers `window`, then rebuild its incidents: (signals, incidents)."""
    steps = windows(window.start, window.end, settings.step_s)
    signals = sum(judge(store, tenant, step, settings) for step in steps)
    return signals, settle(store, tenant, steps, settings) if steps else 0


def settle(store: Store, tenant: str, steps: list[Window], settings: CorrelateSettings) -> int:
    """Rebuild the incidents of windows that were judged; returns how many stand."""
    judged = Window(steps[0].start, steps[-1].end)
    return rebuild_incidents(store, tenant, judged, settings, now_ns=min(judged.end, time.time_ns()))


def rebuild_incidents(
    store: Store, tenant: str, judged: Window, settings: CorrelateSettings, now_ns: int, by: Author | None = None
) -> int:
    """Assemble the incidents touching `judged` from stored signals and topology; returns how many.

    What becomes of the incidents that `by` names is told of in its author's name.
    """
    margin = int(settings.horizon_s * _NS)
    horizon = Window(judged.start - margin, judged.end + margin)
    # An incident that was merged by hand is looked at as a whole, however far apart its parts are.
    for row in store.rows("pinned_span", {"tenant": tenant, "start": judged.start, "end": judged.end}):
        horizon = Window(min(horizon.start, row["start"]), max(horizon.end, row["end"] + 1))
    params: dict[str, str | int] = {"tenant": tenant, "start": horizon.start, "end": horizon.end}
    with saving(store, tenant):
        found = _assembled(store, tenant, params, settings, now_ns)
        return save_incidents(store, tenant, found, judged, horizon, version=following(), by=by)


def _assembled(
    store: Store, tenant: str, params: dict[str, str | int], settings: CorrelateSettings, now_ns: int
) -> Incidents:
    return assemble(
        store.frame("correlate_signals", params).collect(),
        store.frame("correlate_entities", {"tenant": tenant}).collect(),
        store.frame("correlate_edges", params).collect(),
        now_ns,
        tenant,
        settings,
        store.frame("pins", params | {"id": ""}).collect().select("id", "target"),
    )


def live_pass(store: Store, tenant: str, settings: CorrelateSettings, now_ns: int) -> tuple[int, int]:
    """Judge the last `live_window_s` seconds; returns (signals, incidents), (0, 0) when nothing was received."""
    grid = 30 * _NS
    end = -(-now_ns // grid) * grid
    window = Window(end - settings.live_window_s * _NS, end)
    began = time.time_ns()
    if not active(store, tenant, window):
        return 0, 0
    signals = _kept(store, tenant, detect(store, tenant, window, settings), began)
    return signals, rebuild_incidents(store, tenant, window, settings, now_ns)
