"""Where Causeline's own telemetry goes: nowhere unasked, not to itself unasked, and to itself without an echo."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from api.errors import SelfIngest
from api.own_telemetry.telemetry import SelfTelemetry, leads_to
from api.own_telemetry.telemetry_settings import TelemetrySettings
from api.process.system import System
from api.settings import Settings
from ingest.telemetry import Telemetry
from store import Store, StoreSettings
from tests.kit.clickhouse_server import free_port
from tests.kit.landing import rows
from tests.kit.otlp import busy_request, serialized

PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.mark.parametrize(
    ("endpoint", "own"),
    [
        ("http://127.0.0.1:4318", True),
        ("http://localhost:4318/", True),
        ("http://127.9.9.9:4318", True),
        ("http://0.0.0.0:4318", True),
        ("http://[::1]:4318", True),
        ("http://[::ffff:127.0.0.1]:4318", True),
        ("http://127.0.0.1:4319", False),
        ("http://192.0.2.7:4318", False),
        ("http://127.0.0.1", False),
        ("https://collector.invalid:4318", False),
    ],
)
def test_an_endpoint_of_our_own_is_known(endpoint: str, own: bool) -> None:
    assert leads_to(endpoint, {4318, 8080}) is own


def test_nothing_is_sent_unless_an_endpoint_is_named() -> None:
    off = SelfTelemetry.start(TelemetrySettings(), {4318})
    assert off._providers == []
    assert isinstance(off.ingest, Telemetry)
    off.stop()


def test_our_own_port_as_a_setting_is_refused_in_a_sentence() -> None:
    settings = TelemetrySettings(endpoint="http://localhost:4318")
    with pytest.raises(SelfIngest, match="CAUSELINE_TELEMETRY__SELF_INGEST=true"):
        SelfTelemetry.start(settings, {4318})


def test_our_own_port_in_the_environment_is_meant_for_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    with caplog.at_level(logging.WARNING):
        off = SelfTelemetry.start(TelemetrySettings(), {4318})
    assert off._providers == []
    assert "is this very process" in caplog.text


def test_an_endpoint_that_does_not_answer_does_not_hold_up_the_end(caplog: pytest.LogCaptureFixture) -> None:
    settings = TelemetrySettings(endpoint=f"http://127.0.0.1:{free_port()}", interval_s=600)
    running = SelfTelemetry.start(settings, {1})
    running.watch(lambda: {"traces": 1})
    with running.ingest._tracer.start_as_current_span("a"):
        pass
    began = time.monotonic()
    running.stop()
    running.stop()
    assert time.monotonic() - began < 8


def wait_for(what: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


@pytest.mark.usefixtures("no_engine")
def test_stored_in_itself_it_has_no_echo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real round trip: our spans and metrics become rows, and storing those makes no more spans."""
    monkeypatch.chdir(tmp_path)
    port = free_port()
    own = TelemetrySettings(endpoint=f"http://127.0.0.1:{port}", interval_s=1, self_ingest=True)
    system = System(Settings(data=tmp_path / "data", otlp_http_port=port, api_port=0, telemetry=own))
    system.start()
    try:
        body = serialized(busy_request(random.Random(1), 7))
        httpx.post(f"{system.otlp_http_url}/v1/traces", content=body, headers=PROTOBUF, timeout=30).raise_for_status()

        def counts() -> dict[str, int]:
            found: dict[str, int] = httpx.get(f"{system.api_url}/api/v1/status", timeout=30).json()["counts"]
            return found

        # Seven of the request, and five of its batch.
        wait_for(lambda: counts()["spans"] == 12)
        first = counts()["metric_points"]
        wait_for(lambda: counts()["metric_points"] > first + 60)
        assert counts()["spans"] == 12
    finally:
        system.stop()
    store = Store.open(StoreSettings.embedded(tmp_path / "data"))
    try:
        spans = rows(store, "SELECT SpanName FROM otel_traces WHERE ServiceName = 'causeline'")
        assert {row["SpanName"].rpartition(".")[2] for row in spans} == {"batch", "lookup", "begin", "insert", "commit"}
        points = "SELECT count() AS n FROM otel_metrics_sum WHERE ServiceName = 'causeline'"
        each = [row["n"] for row in rows(store, f"{points} GROUP BY TimeUnix ORDER BY TimeUnix")]
        # As soon as every series is there, each export is as large as the one before.
        assert len(each) >= 4
        assert each[-1] == each[-2]
        stored = "SELECT argMax(Value, TimeUnix) AS v FROM otel_metrics_sum WHERE MetricName = 'causeline.store.items'"
        assert rows(store, f"{stored} AND Attributes['causeline.signal'] = 'traces'")[0]["v"] == 12
    finally:
        store.close()
