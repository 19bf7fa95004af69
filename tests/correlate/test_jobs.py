"""Jobs are named by what they do; the table says how far they got; a worker finishes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from correlate import jobs, passes, tasks
from correlate.errors import JobError
from correlate.settings import CorrelateSettings
from correlate.worker import EmbeddedWorker
from store import Store, Window
from store.errors import StoreUnavailable
from tests.kit.causal import nanos

SETTINGS = CorrelateSettings(live_every_s=1.0)
WINDOW = Window(nanos(0), nanos(2000))


def wait_for(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


@pytest.fixture
def worker(store: Store) -> Iterator[EmbeddedWorker]:
    running = EmbeddedWorker(store, SETTINGS)
    running.start()
    yield running
    running.stop()


def test_windows_are_aligned_and_cover_the_range() -> None:
    found = passes.windows(nanos(1), nanos(1801), 900)
    assert all(w.start % (900 * 10**9) == 0 and w.seconds == 900 for w in found)
    assert found[0].start <= nanos(1)
    assert found[-1].end >= nanos(1801)
    assert [a.end for a in found[:-1]] == [b.start for b in found[1:]]
    assert passes.windows(nanos(5), nanos(5), 900)[1:] == []


def test_the_same_range_is_the_same_job(store: Store) -> None:
    first = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    assert jobs.submit(store, "default", WINDOW.start, WINDOW.end) == first
    assert jobs.load(store, "default", first).state == "queued"
    assert jobs.unfinished(store) == [("default", first)]


def test_an_unknown_job_and_another_tenants_job_are_not_found(store: Store) -> None:
    known = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    with pytest.raises(JobError):
        jobs.load(store, "default", "window:default:1:2")
    with pytest.raises(JobError):
        jobs.load(store, "other", known)


def test_the_embedded_worker_runs_a_job_to_its_end(store: Store, worker: EmbeddedWorker) -> None:
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done")
    done = jobs.load(store, "default", identifier)
    assert done.steps_done == done.steps_total == len(passes.windows(WINDOW.start, WINDOW.end, SETTINGS.step_s))
    assert (done.signals, done.incidents, done.attempts) == (0, 0, 1)


def test_a_job_left_by_a_dead_process_is_picked_up_at_start(store: Store) -> None:
    identifier = jobs.job_id("default", WINDOW)
    jobs.save(store, jobs.Job("default", identifier, WINDOW, state="running", created_ns=1))
    running = EmbeddedWorker(store, SETTINGS)
    running.start()
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done")
    running.stop()


def test_a_stop_does_not_wait_for_a_long_back_fill(store: Store) -> None:
    running = EmbeddedWorker(store, SETTINGS)
    running.start()
    long = Window(nanos(0), nanos(400 * 900))
    identifier = jobs.submit(store, "default", long.start, long.end)
    wait_for(lambda: jobs.load(store, "default", identifier).steps_done > 0)
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 8
    left = jobs.load(store, "default", identifier)
    assert (left.state, left.attempts) == ("queued", 0)
    assert jobs.unfinished(store) == [("default", identifier)]


def test_a_job_that_keeps_failing_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable(*args: object) -> None:
        raise StoreUnavailable("no engine")

    monkeypatch.setattr(passes, "correlate_range", unavailable)
    tasks.attach(store, CorrelateSettings(max_attempts=1))
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    tasks.run_job.apply(args=["default", identifier])
    failed = jobs.load(store, "default", identifier)
    assert (failed.state, failed.error) == ("failed", "no engine")


def test_a_pass_that_panics_fails_its_job_and_not_the_worker(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def panics(*args: object) -> None:
        raise pl.exceptions.PanicException("assertion failed")

    monkeypatch.setattr(passes, "correlate_range", panics)
    tasks.attach(store, CorrelateSettings(max_attempts=1))
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    tasks.run_job.apply(args=["default", identifier])
    failed = jobs.load(store, "default", identifier)
    assert (failed.state, failed.error) == ("failed", "PanicException: assertion failed")


def test_a_finished_job_is_not_run_again_by_a_second_message(store: Store) -> None:
    tasks.attach(store, SETTINGS)
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    for _ in range(2):
        tasks.run_job.apply(args=["default", identifier])
    assert jobs.load(store, "default", identifier).attempts == 1
