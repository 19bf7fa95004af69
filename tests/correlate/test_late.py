"""Telemetry that comes after its time was judged is judged again; what came in time is not."""

from __future__ import annotations

import time

from correlate import jobs, passes
from correlate.late import late_windows, queue_late
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.noise import fill

SETTINGS = CorrelateSettings(late_windows=2)
_NS = 1_000_000_000


def past(minutes: int, now: int) -> Window:
    """The aligned window that began so long ago."""
    return passes.windows(now - minutes * 60 * _NS, now - minutes * 60 * _NS + 1, SETTINGS.step_s)[0]


def test_what_nobody_judged_is_late_and_what_was_judged_is_not(store: Store) -> None:
    now = time.time_ns()
    window = past(60, now)
    fill(store, window, 0, 13)
    assert late_windows(store, "default", SETTINGS, now) == [window]
    passes.judge(store, "default", window, SETTINGS)
    # The insert may have ended while the pass began to read: for some seconds nobody can tell.
    later = _judged_later(store)
    assert late_windows(store, "default", SETTINGS, later) == []


@on_both_homes
def test_a_row_that_came_after_the_pass_is_late(store: Store) -> None:
    now = time.time_ns()
    window = past(60, now)
    fill(store, window, 0, 13)
    passes.judge(store, "default", window, SETTINGS)
    _judged_later(store)
    store.command(
        "INSERT INTO otel_logs (Timestamp, Tenant, Body, InsertTime) "
        f"VALUES (fromUnixTimestamp64Nano({window.start + _NS}), 'default', 'late', now64(3) + 60)"
    )
    assert late_windows(store, "default", SETTINGS, time.time_ns()) == [window]


def test_another_tenants_rows_future_rows_and_live_minutes_are_not_late(store: Store) -> None:
    now = time.time_ns()
    fill(store, Window(now - 60 * _NS, now), 0, 13)
    fill(store, Window(now + 3600 * _NS, now + 3660 * _NS), 0, 13)
    store.command(
        "INSERT INTO otel_logs (Timestamp, Tenant, Body) "
        f"VALUES (fromUnixTimestamp64Nano({now - 3600 * _NS}), 'other', 'not ours')"
    )
    assert late_windows(store, "default", SETTINGS, now) == []


def test_a_sweep_queues_the_newest_of_many(store: Store) -> None:
    now = time.time_ns()
    windows = [past(minutes, now) for minutes in (40, 80, 120)]
    for window in windows:
        fill(store, window, 0, 13)
    assert queue_late(store, "default", SETTINGS) == 2
    assert {job for _, job in jobs.unfinished(store)} == {jobs.job_id("default", window) for window in windows[:2]}
    assert queue_late(store, "default", SETTINGS.model_copy(update={"late_s": 0.0})) == 0


def _judged_later(store: Store) -> int:
    """Let the pass have begun a minute later, so that no insert was under way; returns that time."""
    store.command(
        "ALTER TABLE correlation_passes UPDATE JudgedAt = JudgedAt + 60 WHERE true SETTINGS mutations_sync = 2"
    )
    return time.time_ns() + 120 * _NS
