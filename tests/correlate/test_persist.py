"""Writing again changes nothing; what is no longer found is withdrawn; known incidents keep their ids."""

from __future__ import annotations

from typing import Any

import polars as pl

from correlate.engine import Detection
from correlate.errors import RuleError
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signal, signals

SETTINGS = CorrelateSettings()
WINDOW = Window(nanos(-60), nanos(900))
HORIZON = Window(nanos(-7200), nanos(7200))
NAMES = entities(**{"gpu__GPU-1": ["n1/gpu0"]})


def detection(*rows: dict[str, Any]) -> Detection:
    return Detection(WINDOW, signals(*rows), NAMES, edges(*SERVING), (RuleError("broken", "ValueError: no"),))


def stored(store: Store, name: str, window: Window = HORIZON) -> pl.DataFrame:
    return store.frame(name, {"tenant": "default", "start": window.start, "end": window.end}).collect()


def incidents(store: Store, version: int) -> int:
    params = {"tenant": "default", "start": HORIZON.start, "end": HORIZON.end}
    found = assemble(
        store.frame("correlate_signals", params).collect(),
        store.frame("correlate_entities", {"tenant": "default"}).collect(),
        store.frame("correlate_edges", params).collect(),
        nanos(7200),
        "default",
        SETTINGS,
    )
    return save_incidents(store, "default", found, WINDOW, HORIZON, version)


def test_a_pass_written_twice_is_there_once(store: Store) -> None:
    for version in (1, 2):
        save_detection(store, "default", detection(*GPU_STORY), version)
    assert stored(store, "correlate_signals").height == len(GPU_STORY)
    assert stored(store, "correlate_edges").height == len(SERVING)
    assert stored(store, "correlate_entities")["aliases"].to_list() == [["n1/gpu0"]]


@on_both_homes
def test_a_signal_no_longer_found_is_withdrawn(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY), 1)
    save_detection(store, "default", detection(*GPU_STORY[:3]), 2)
    assert stored(store, "correlate_signals").height == 3


def test_other_windows_keep_their_signals(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY), 1)
    later = Detection(Window(nanos(900), nanos(1800)), signals(), NAMES, edges(), ())
    save_detection(store, "default", later, 2)
    assert stored(store, "correlate_signals").height == len(GPU_STORY)


@on_both_homes
def test_another_tenant_sees_nothing(store: Store) -> None:
    save_detection(store, "other", detection(*GPU_STORY), 1)
    assert stored(store, "correlate_signals").is_empty()


@on_both_homes
def test_incidents_and_ids_are_the_same_on_a_second_run(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY), 1)
    assert incidents(store, 1) == 1
    before = stored(store, "correlate_incidents_full").drop("Version")
    assert incidents(store, 2) == 1
    assert stored(store, "correlate_incidents_full").drop("Version").equals(before)


def test_an_incident_keeps_its_id_when_an_earlier_cause_turns_up(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY[1:]), 1)
    incidents(store, 1)
    before = stored(store, "correlate_incidents_full")
    save_detection(store, "default", detection(*GPU_STORY), 2)
    incidents(store, 2)
    after = stored(store, "correlate_incidents_full")
    assert after["IncidentId"].to_list() == before["IncidentId"].to_list()
    assert "GPU-1" in after["Title"][0]
    assert "GPU-1" not in before["Title"][0]


@on_both_homes
def test_an_incident_without_signals_is_withdrawn(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY), 1)
    incidents(store, 1)
    save_detection(store, "default", detection(signal("metric.shift", "metric", "service:x", 0, score=3.1)), 2)
    assert incidents(store, 2) == 0
    assert stored(store, "correlate_incidents_full").is_empty()
    assert stored(store, "correlate_incident_signals_full").is_empty()


def test_a_failed_rule_leaves_a_row(store: Store) -> None:
    save_detection(store, "default", detection(*GPU_STORY), 1)
    failures = store.arrow_text("SELECT Rule, Error FROM rule_failures FINAL")
    assert failures.to_pylist() == [{"Rule": "broken", "Error": "ValueError: no"}]
