"""The clock asks for every tenant with telemetry, catches nothing up, and does not talk to a room without listeners."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from kombu.exceptions import OperationalError

from correlate import broker
from correlate.beat import Beat, Scheduler, Tenants
from correlate.broker import BrokerSettings
from correlate.celery_app import IN_MEMORY, LIVE_PASS, SWEEP, TICKS, app
from correlate.settings import CorrelateSettings
from correlate.telemetry import Telemetry
from store import Store, Window
from store.batches import first_at
from tests.kit.causal import nanos
from tests.kit.clickhouse_server import free_port
from tests.kit.noise import fill

SETTINGS = CorrelateSettings(live_every_s=1.0, sweep_every_s=1.0)


@pytest.fixture(autouse=True)
def nothing_waits() -> Iterator[None]:
    """No tick of another test is in the queue, and none is left there."""
    emptied()
    yield
    emptied()


def emptied() -> None:
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        channel.queue_declare(queue=TICKS, durable=True, auto_delete=False)
        channel.queue_purge(TICKS)


def waits(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def sent(store: Store, tenant: str) -> None:
    """A log record of the tenant, in a batch of now."""
    store.command(
        "INSERT INTO otel_logs (Timestamp, Tenant, Body, Batch) SELECT now64(9), {tenant:String}, 'x', {batch:UInt64}",
        {"tenant": tenant, "batch": first_at(time.time_ns() // 1_000_000)},
    )


def test_tenants_are_those_that_sent_lately(backend_store: Store) -> None:
    fill(backend_store, Window(nanos(0), nanos(60)), 0, 13)
    tenants = Tenants(backend_store, "default")
    tenants.look()
    # What the fill wrote is in batch 0, which is ages ago.
    assert tenants.known() == ["default"]
    sent(backend_store, "acme")
    tenants.look()
    assert tenants.known() == ["acme", "default"]


def test_a_store_that_does_not_answer_leaves_the_tenants_known(store: Store) -> None:
    tenants = Tenants(store, "default")
    sent(store, "acme")
    tenants.look()
    tenants._store = Store(store.settings.model_copy(update={"url": f"http://127.0.0.1:{free_port()}"}))
    tenants.look()
    assert tenants.known() == ["acme", "default"]


def scheduler(store: Store, settings: CorrelateSettings = SETTINGS) -> tuple[Scheduler, Tenants]:
    tenants = Tenants(store, "default")
    return Scheduler(app=app, tenants=tenants, settings=settings, telemetry=Telemetry()), tenants


def test_a_clock_that_starts_has_missed_nothing(store: Store) -> None:
    clock, _ = scheduler(store, CorrelateSettings(live_every_s=60.0, sweep_every_s=60.0))
    for _ in range(5):
        clock.tick()
    assert broker.ticks_waiting() == 0


def test_a_new_tenant_is_asked_about_at_once(store: Store) -> None:
    clock, tenants = scheduler(store, CorrelateSettings(live_every_s=60.0, sweep_every_s=60.0))
    clock.tick()
    sent(store, "acme")
    tenants.look()
    for _ in range(5):
        clock.tick()
    # A live pass and a sweep of the new one, nothing of the other.
    assert broker.ticks_waiting() == 2
    assert set(clock.schedule) == {f"{task}:{tenant}" for task in (LIVE_PASS, SWEEP) for tenant in ("acme", "default")}


def test_a_tenant_that_fell_silent_is_asked_about_no_more(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, tenants = scheduler(store)
    sent(store, "acme")
    tenants.look()
    clock.tick()
    monkeypatch.setattr("correlate.beat._QUIET_S", -1.0)
    tenants.look()
    clock.tick()
    assert set(clock.schedule) == {f"{LIVE_PASS}:default", f"{SWEEP}:default"}


def test_nobody_who_listens_and_the_clock_falls_silent(store: Store) -> None:
    beat = Beat(store, SETTINGS, "default")
    beat.start()
    try:
        waits(lambda: broker.ticks_waiting() >= 4)
        time.sleep(4)
        # Two rounds of a pass and a sweep, however long nobody takes one.
        assert broker.ticks_waiting() == 4
        assert beat.alive_s < 5
    finally:
        beat.stop()


def test_a_broker_that_is_away_is_an_error_of_one_line(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    clock, _ = scheduler(store)
    broker.use(BrokerSettings(url=f"redis://127.0.0.1:{free_port()}/0"))
    try:
        with pytest.raises(OperationalError):
            broker.ticks_waiting()
        assert not broker.answers()
        entry = clock.schedule[f"{LIVE_PASS}:default"]
        clock.apply_entry(entry)
        assert "the broker does not answer" in caplog.text
        assert "Traceback" not in caplog.text
        began = time.monotonic()
        for number in range(100):
            broker.hint("default", f"job-{number}")
        assert time.monotonic() - began < 1
    finally:
        broker.use(BrokerSettings(url=IN_MEMORY))
