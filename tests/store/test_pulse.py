"""A server that hangs is known within three seconds, and so is that it answers again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from store import Store, StoreSettings
from store.errors import StoreUnavailable
from store.pulse import Pulse
from tests.conftest import missing
from tests.kit import clickhouse_server
from tests.kit.clickhouse_server import ClickHouseServer


@pytest.fixture(scope="module")
def stoppable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server of our own, which may be stopped without harm to other tests."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    with ClickHouseServer(tmp_path_factory.mktemp("stoppable")) as running:
        yield running


def waits(what: Callable[[], bool], seconds: float) -> float:
    """The seconds until it is so."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < seconds, "waited too long"
        time.sleep(0.01)
    return time.monotonic() - began


def test_two_misses_open_it_and_one_answer_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    answers, asked = threading.Event(), []

    def ping(seconds: float) -> bool:
        asked.append(seconds)
        return answers.is_set()

    pulse = Pulse(ping)
    answers.set()
    pulse.start()
    try:
        waits(lambda: len(asked) >= 2, 60)
        assert pulse.answering
        answers.clear()
        waits(lambda: not pulse.answering, 60)
        known = len(asked)
        waits(lambda: len(asked) >= known + 3, 60)
        answers.set()
        waits(lambda: pulse.answering, 60)
    finally:
        pulse.stop()
    # Two missed answers and two pauses must fit into three seconds.
    assert 2 * asked[0] + 0.5 + 0.1 < 3
    said = [record.getMessage() for record in caplog.records]
    assert said == [
        "the ClickHouse server does not answer: requests are refused until it does",
        "the ClickHouse server answers again",
    ]


def test_one_missed_answer_is_nothing(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[float] = []

    def ping(seconds: float) -> bool:
        asked.append(seconds)
        return len(asked) != 2

    pulse = Pulse(ping)
    pulse.start()
    try:
        waits(lambda: len(asked) >= 4, 60)
        assert pulse.answering
    finally:
        pulse.stop()
    assert caplog.records == []


def test_a_server_that_hangs_is_refused_for_and_asked_again_when_it_goes_on(
    stoppable: ClickHouseServer, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store.open(StoreSettings(url=stoppable.url))
    store.watch_pulse()
    store.watch_pulse()
    try:
        assert store.rows("entity_engine")
        stoppable.send(signal.SIGSTOP)
        try:
            waits(lambda: not store.answering, 30)
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="does not answer"):
                store.rows("entity_engine")
            assert time.monotonic() - began < 1
            # A ping that is repeated on the way takes twice as long, and so does finding out.
            assert "Retrying" not in caplog.text
        finally:
            stoppable.send(signal.SIGCONT)
        waits(lambda: store.answering, 30)
        assert store.rows("entity_engine")
    finally:
        store.close()


def test_an_embedded_engine_has_no_pulse(empty_store: Store) -> None:
    empty_store.watch_pulse()
    assert empty_store.answering
    assert empty_store._pulse is None


def test_nothing_to_connect_to_is_said_at_once() -> None:
    nobody = Store(StoreSettings(url=f"http://127.0.0.1:{clickhouse_server.free_port()}"))
    with pytest.raises(StoreUnavailable):
        nobody.watch_pulse()
