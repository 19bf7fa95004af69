"""Alerts of other systems as signals: from the labels to the entity, once for as long as they keep coming."""

from __future__ import annotations

from typing import Any

import pytest

from correlate.frames import FRAMES, load
from correlate.rules import alertmanager_alerts
from store import Store, Window
from tests.kit.causal import T0, nanos
from tests.kit.rows import insert, log
from tests.kit.telemetry import Row, facts, found, frames


def alert(at: Any = 100.0, **more: Any) -> Row:
    known = {
        "name": "QueueFull",
        "status": "firing",
        "severity": "critical",
        "summary": "too many",
        "started": nanos(60),
    }
    return {"time": at} | known | more


@pytest.mark.parametrize(
    ("labels", "entity"),
    [
        ({"gpu": "GPU-1", "pod": "p", "node": "n"}, ("gpu", "GPU-1")),
        ({"pod": "p", "node": "n", "service": "s"}, ("pod", "p")),
        ({"workload": "w", "service": "kube-state-metrics"}, ("workload", "w")),
        ({"model": "m", "service": "s"}, ("model", "m")),
        ({"service": "s", "node": "n"}, ("service", "s")),
        ({"node": "n"}, ("node", "n")),
    ],
)
def test_the_entity_is_the_most_specific_one_named(labels: dict[str, str], entity: tuple[str, str]) -> None:
    assert facts(found(alertmanager_alerts.RULE, frames(alerts=[alert(**labels)]))) == {("alert.firing", *entity)}


def test_what_resolves_or_names_nothing_is_no_signal() -> None:
    rows = [alert(service="s", status="resolved"), alert()]
    assert facts(found(alertmanager_alerts.RULE, frames(alerts=rows))) == set()


def test_one_that_keeps_coming_is_one_signal_from_when_it_began() -> None:
    rows = [alert(at=100.0 + 60 * n, service="s", severity="warning") for n in range(5)]
    signals = found(alertmanager_alerts.RULE, frames(alerts=rows))
    assert (signals.height, signals["score"].to_list()) == (1, [4.0])
    assert signals["onset"].dt.epoch("ns").to_list() == [nanos(60)]
    assert signals["until"].dt.epoch("ns").to_list() == [nanos(340)]
    # One that says it began long ago, or will, is not believed.
    for started, onset in ((-9e6, 100.0 - 3600), (500.0, 100.0)):
        signals = found(alertmanager_alerts.RULE, frames(alerts=[alert(service="s", started=nanos(started))]))
        assert signals["onset"].dt.epoch("ns").to_list() == [nanos(onset)]


def test_the_frame_reads_what_the_receiver_stores_and_logs_do_not(store: Store) -> None:
    attributes = {
        "alert.name": "QueueFull", "alert.status": "firing", "alert.label.severity": "Page", "alert.label.pod": "llm-0",
        "alert.started_ns": str(nanos(30)), "alert.fingerprint": "f1",
    }  # fmt: skip
    insert(store, "otel_logs", log("full", 60, EventName="alertmanager.alert", LogAttributes=attributes), log("a", 60))
    read = load(store, "default", Window(nanos(0), nanos(900)), 0.0, ["alerts", "logs"])
    row = read["alerts"].collect().row(0, named=True)
    assert set(row) == set(FRAMES["alerts"])
    assert (row["pod"], row["severity"], row["started"].timestamp()) == ("llm-0", "page", T0 + 30)
    assert read["logs"].collect()["body"].to_list() == ["a"]
