"""Room, parts and broken parts: told, refused for, and let go of again."""

from __future__ import annotations

import asyncio
import logging
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.envelope import Signal
from ingest.errors import Overloaded
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from ingest.watch import Watch
from store import Store, StoreSettings, condition, migrate
from store.condition import Room
from store.errors import StoreUnavailable
from store.unwritten import Unwritten
from tests.kit.landing import count
from tests.kit.otlp import busy_request, serialized

SETTINGS = IngestSettings(watch_interval_s=0.05)


@contextmanager
def watching(store: Store, settings: IngestSettings = SETTINGS) -> Iterator[Watch]:
    watch = Watch(store, settings)
    watch.start()
    try:
        yield watch
    finally:
        watch.stop()
        watch.stop()


def messages(told: Pipeline | Watch) -> list[str]:
    return [reason.message for reason in told.reasons()]


def within(seconds: float, true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "not within the time it should take"
        time.sleep(0.01)


def send(pipeline: Pipeline, seed: int) -> None:
    hold = pipeline.budget.hold()
    body = serialized(busy_request(random.Random(seed), 2))
    hold.resize(len(body))
    asyncio.run(pipeline.submit(Signal.TRACES, body, hold))


def test_a_full_disk_refuses_and_recovers_by_itself(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    room = Room(free=10 * 2**30, total=20 * 2**30)
    monkeypatch.setattr(condition, "room", lambda _: room)
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60, watch_interval_s=0.05))
    pipeline.start()
    try:
        send(pipeline, 1)
        room = Room(free=2**29, total=20 * 2**30)
        within(3, lambda: pipeline.stats()["degraded"] == ["the disk is nearly full"])
        with pytest.raises(Overloaded, match="the disk is nearly full"):
            send(pipeline, 2)
        assert [(reason.code, reason.blocks) for reason in pipeline.reasons()] == [("disk_full", True)]
        # A larger disk, of which 5 % are more than a gigabyte.
        room = Room(free=49 * 2**30, total=1000 * 2**30)
        time.sleep(0.2)
        assert pipeline.reasons()
        room = Room(free=51 * 2**30, total=1000 * 2**30)
        within(3, lambda: not pipeline.reasons())
        send(pipeline, 2)
    finally:
        pipeline.stop()
    assert count(store, "otel_traces") == 4


def test_a_request_being_read_is_not_cut_off_by_a_full_disk(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline(store, SETTINGS)
    hold = pipeline.budget.hold()
    hold.resize(10)
    pipeline._watch._full = {"disk": "full"}
    hold.resize(20)
    with pytest.raises(Overloaded):
        pipeline.budget.hold().resize(1)
    hold.release()


def test_parts_that_pile_up_refuse(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    share = 0.81
    monkeypatch.setattr(condition, "crowding", lambda _: share)
    with watching(store) as watch:
        assert messages(watch) == ["too many parts wait to be merged"]
        with pytest.raises(Overloaded):
            watch.refuse_when_full()
        share = 0.5
        within(5, lambda: not watch.reasons())
        watch.refuse_when_full()


def test_a_store_that_cannot_be_looked_at_is_not_held_against_anyone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(_: Store) -> Room:
        raise StoreUnavailable("no answer")

    with watching(store) as watch:
        monkeypatch.setattr(condition, "room", unknown)
        time.sleep(0.2)
        watch.refuse_when_full()
        assert watch._thread.is_alive()


def test_room_and_parts_are_what_the_engine_says(backend_store: Store) -> None:
    store = backend_store
    room = condition.room(store)
    assert 0 < room.free <= room.total
    assert condition.detached(store) == {}
    store.command("SYSTEM STOP MERGES otel_logs")
    try:
        for number in range(30):
            store.command(f"INSERT INTO otel_logs (Timestamp, Tenant) VALUES ({number}, 'default')")
        assert condition.crowding(store) == pytest.approx(30 / 3000)
    finally:
        store.command("SYSTEM START MERGES otel_logs")


def test_writes_that_failed_are_reported(embedded_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = iter((7, 7, 9))
    monkeypatch.setattr(embedded_store, "_unwritten", Unwritten(lambda: next(counted)))
    watch = Watch(embedded_store, IngestSettings())
    embedded_store.command("SELECT 1")
    assert watch.reasons() == []
    with pytest.raises(StoreUnavailable):
        embedded_store.command("SELECT 1")
    reason = watch.reasons()[0]
    assert (reason.code, reason.blocks) == ("failed_writes", False)
    assert reason.message.startswith("2 writes")


def test_broken_parts_are_reported_and_private_files_are_wiped(
    no_engine: None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings = StoreSettings.embedded(tmp_path)
    store = Store.open(settings)
    migrate.apply(store)
    for number in range(3):
        store.command(f"INSERT INTO otel_logs (Timestamp, Tenant) VALUES ({number}, 'default')")
    folder = store.data_path("otel_logs")
    store.close()
    broken = next(part for part in sorted(folder.iterdir()) if part.name.startswith("1970"))
    (broken / "columns.txt").write_text("nonsense", encoding="utf-8")
    left = tmp_path / "tmp" / "left-by-a-kill"
    left.write_text("telemetry", encoding="utf-8")
    caplog.set_level(logging.WARNING)
    store = Store.open(settings)
    try:
        assert not left.exists()
        with watching(store) as watch:
            assert messages(watch) == ["1 broken parts of otel_logs were set aside"]
            # That is no reason to refuse what comes.
            watch.refuse_when_full()
        assert "1 broken parts of otel_logs were set aside" in caplog.text
        assert count(store, "otel_logs") == 2
    finally:
        store.close()
        shutil.rmtree(tmp_path)
