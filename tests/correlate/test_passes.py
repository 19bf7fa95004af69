"""Passes over windows in which nothing was received."""

from __future__ import annotations

import pytest

from correlate import passes
from correlate.engine import Detection
from correlate.persist import save_detection
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signals
from tests.kit.landing import count

WINDOW = Window(nanos(-60), nanos(900))


def test_a_window_without_telemetry_asks_no_rule_and_withdraws_what_was_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_detection(store, "default", Detection(WINDOW, signals(*GPU_STORY), entities(), edges(*SERVING), ()), 1)
    assert count(store, "signals FINAL") == len(GPU_STORY)
    monkeypatch.setattr(passes, "detect", lambda *_: pytest.fail("rules ran over nothing"))
    assert passes.judge(store, "default", WINDOW, CorrelateSettings()) == 0
    assert count(store, "signals FINAL") == 0
    assert count(store, "correlation_passes") == 1


@pytest.mark.parametrize("table", ["otel_metrics_histogram", "otel_logs", "otel_traces", "otel_metrics_summary"])
def test_any_kind_of_telemetry_makes_a_window_one_to_judge(store: Store, table: str) -> None:
    time = "TimeUnix" if "metrics" in table else "Timestamp"
    store.command(
        f"INSERT INTO {table} (Tenant, {time}) SELECT 'default', fromUnixTimestamp64Nano({{at:Int64}})",
        {"at": nanos(5)},
    )
    assert passes.active(store, "default", WINDOW)
    assert not passes.active(store, "other", WINDOW)
    assert not passes.active(store, "default", Window(nanos(900), nanos(1800)))
