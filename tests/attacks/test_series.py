"""A14: a tenant that makes up label values without end keeps the series it has, and nobody else notices."""

from __future__ import annotations

import time

import httpx
import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint

from ingest.access import Sender
from ingest.envelope import Signal
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.remote_write import PATH
from ingest.series_cap import SeriesCap
from ingest.settings import IngestSettings
from store import Store, series
from tests.attacks.conftest import TRANSPORTS
from tests.attacks.victim import attackable
from tests.kit.landing import count
from tests.kit.otlp import metrics, serialized
from tests.kit.prompb import V1, Series1, snappy
from tests.kit.serving import serving

CAP = 50
SETTINGS = {"max_series": CAP, "watch_interval_s": 0.02, "commit_timeout_s": 60}


def points(first: int, last: int, name: str = "requests") -> bytes:
    """One point in each of these series."""
    now = time.time_ns()
    labelled = [
        NumberDataPoint(
            attributes=[KeyValue(key="user", value=AnyValue(string_value=str(n)))], time_unix_nano=now, as_int=n
        )
        for n in range(first, last)
    ]
    return serialized(metrics(Metric(name=name, gauge=Gauge(data_points=labelled))))


def wait_for_cap(store: Store, tenants: frozenset[str]) -> None:
    """Until the receiver has capped just these."""
    deadline = time.monotonic() + 30
    while series.capped(store) != tenants:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    # The receiver looks once more at what it has written.
    time.sleep(0.5)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_new_series_are_refused_and_known_ones_and_neighbours_are_stored(store: Store, transport: str) -> None:
    with attackable(store, transport, **SETTINGS) as victim:
        assert victim.send(Signal.METRICS, points(0, CAP)).refused == 0
        assert victim.send(Signal.METRICS, points(CAP, 2 * CAP)).refused == 0
        wait_for_cap(store, frozenset({"default"}))
        answer = victim.send(Signal.METRICS, points(CAP - 10, CAP + 30))
        assert (answer.status, answer.refused) == (200, 30)
        assert "too many new series" in answer.text
        assert count(store, "otel_metrics_gauge") == 2 * CAP + 10
        assert victim.count("ingest_rejected WHERE Reason = 'series' AND Items = 30") == 1
        # Telemetry without series goes on as before.
        assert victim.works()
        other = Pipeline(store, IngestSettings(**SETTINGS))  # type: ignore[arg-type]
        other.start()
        try:
            with serving(create_app(other, lambda _: Sender("other"))) as url:
                for first in (0, 10):
                    body = points(first, first + 10)
                    sent = httpx.post(
                        f"{url}/v1/metrics",
                        content=body,
                        headers={"content-type": "application/x-protobuf"},
                        timeout=60,
                    )
                    assert (sent.status_code, sent.content) == (200, b"")
        finally:
            other.stop()


def test_remote_write_counts_them_as_not_written(store: Store) -> None:
    def request(first: int, last: int) -> bytes:
        out = Series1()
        for n in range(first, last):
            out.add({"__name__": "up", "user": str(n)}, samples=[(time.time_ns() // 1_000_000, n)])
        return snappy(out.message)

    pipeline = Pipeline(store, IngestSettings(**SETTINGS))  # type: ignore[arg-type]
    pipeline.start()
    try:
        with serving(create_app(pipeline)) as url:
            assert httpx.post(url + PATH, content=request(0, 2 * CAP), headers=V1, timeout=60).status_code == 204
            wait_for_cap(store, frozenset({"default"}))
            answer = httpx.post(url + PATH, content=request(0, 2 * CAP), headers=V1, timeout=60)
            assert answer.status_code == 400
            assert answer.text == f"{CAP} samples, histograms or exemplars were not stored: too many new series\n"
            assert answer.headers["x-prometheus-remote-write-samples-written"] == str(CAP)
    finally:
        pipeline.stop()


def test_a_tenant_is_let_out_when_its_series_are_few_again(store: Store) -> None:
    with attackable(store, "http", max_series=0) as victim:
        victim.send(Signal.METRICS, points(0, 2 * CAP))
    series.cap(store, "default", 0, CAP)
    series.cap(store, "other", 0, CAP)
    crowded = SeriesCap(store, IngestSettings(max_series=CAP))
    crowded.look()
    assert crowded.capped == {"default"}
    roomy = SeriesCap(store, IngestSettings(max_series=3 * CAP))
    roomy.look()
    assert roomy.capped == frozenset()
    assert count(store, "series_known") == 0


def test_the_first_series_are_those_that_stay(store: Store) -> None:
    with attackable(store, "http", max_series=0) as victim:
        victim.send(Signal.METRICS, points(0, CAP, "first"))
        victim.send(Signal.METRICS, points(0, CAP, "second"))
    series.cap(store, "default", 0, CAP)
    known = "SELECT uniqExact(MetricName) AS n, any(MetricName) AS name FROM otel_metrics_gauge"
    known += " WHERE cityHash64(Tenant, SeriesHash) IN (SELECT Id FROM series_known)"
    assert store.arrow_text(known).to_pylist() == [{"n": 1, "name": "first"}]


def test_small_senders_are_not_looked_at(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []

    def active(_store: Store, tenant: str, _since: int) -> int:
        looked.append(tenant)
        return 0

    monkeypatch.setattr(series, "active", active)
    cap = SeriesCap(store, IngestSettings(max_series=1_000_000))
    cap.charge("small", 1_999_999)
    cap.charge("large", 2_000_000)
    cap.look()
    cap.look()
    assert looked == ["large"]
