"""Jobs are named by what they do; the table says how far they got; a worker finishes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import polars as pl
import pytest

from correlate import broker, jobs, leases, passes, tasks
from correlate.errors import JobError
from correlate.settings import CorrelateSettings
from correlate.worker import EmbeddedWorker
from store import Store, Window
from store.client import to_frame
from store.errors import StoreUnavailable
from tests.conftest import on_both_homes
from tests.kit.causal import nanos
from tests.kit.noise import fill

SETTINGS = CorrelateSettings(live_every_s=1.0)
WINDOW = Window(nanos(0), nanos(2000))


def wait_for(condition: Callable[[], bool], seconds: float = 120.0) -> None:
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


@on_both_homes
def test_the_embedded_worker_runs_a_job_to_its_end(store: Store, worker: EmbeddedWorker) -> None:
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done")
    done = jobs.load(store, "default", identifier)
    assert done.steps_done == done.steps_total == len(passes.windows(WINDOW.start, WINDOW.end, SETTINGS.step_s))
    assert (done.signals, done.incidents, done.attempts) == (0, 0, 1)


def test_a_job_left_by_a_dead_process_is_picked_up_at_start(embedded_store: Store) -> None:
    # On a server whoever holds a lease may live elsewhere.
    store = embedded_store
    identifier = jobs.job_id("default", WINDOW)
    steps = passes.windows(WINDOW.start, WINDOW.end, SETTINGS.step_s)
    jobs.save(store, jobs.Job("default", identifier, WINDOW, state="running", created_ns=1, steps_total=len(steps)))
    leases.plan(store, "default", identifier, steps)
    assert leases.claim(store, "dead", 3600.0)
    running = EmbeddedWorker(store, SETTINGS)
    running.start()
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done")
    running.stop()
    assert jobs.load(store, "default", identifier).attempts == 2


def test_a_stop_does_not_wait_for_a_long_back_fill_and_the_next_start_goes_on(store: Store) -> None:
    running = EmbeddedWorker(store, SETTINGS)
    running.start()
    long = Window(nanos(0), nanos(20 * 900))
    identifier = jobs.submit(store, "default", long.start, long.end)
    wait_for(lambda: jobs.load(store, "default", identifier).steps_done > 0)
    began = time.monotonic()
    running.stop()
    assert time.monotonic() - began < 8
    left = jobs.load(store, "default", identifier)
    assert left.state == "running"
    assert 0 < left.steps_done < left.steps_total
    again = EmbeddedWorker(store, SETTINGS)
    again.start()
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done", 120)
    again.stop()
    done = leases.counts(store, "default", identifier)
    assert (done.done, done.attempts) == (left.steps_total, 1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (StoreUnavailable("no engine"), "no engine"),
        (pl.exceptions.PanicException("assertion failed"), "PanicException: assertion failed"),
    ],
)
def test_a_window_that_keeps_failing_is_quarantined_until_it_is_released(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException, told: str
) -> None:
    judge, bad = passes.judge, passes.windows(WINDOW.start, WINDOW.end, SETTINGS.step_s)[1]

    def broken(store: Store, tenant: str, window: Window, settings: CorrelateSettings) -> int:
        if window == bad:
            raise error
        return judge(store, tenant, window, settings)

    monkeypatch.setattr(passes, "judge", broken)
    tasks.attach(store, CorrelateSettings(max_attempts=1))
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    tasks.run_job.apply(args=["default", identifier])
    failed = jobs.load(store, "default", identifier)
    # The other windows are done, and nobody tries this one again.
    assert (failed.state, failed.steps_done, failed.steps_total) == ("failed", 3, 4)
    assert failed.error == f"1 of 4 windows: {told}"
    assert [row["start"] for row in quarantined(store)] == [bad.start]
    tasks.run_job.apply(args=["default", identifier])
    assert leases.counts(store, "default", identifier).attempts == 1

    monkeypatch.setattr(passes, "judge", judge)
    assert jobs.release(store, "default", identifier) == 1
    tasks.run_job.apply(args=["default", identifier])
    assert (jobs.load(store, "default", identifier).state, quarantined(store)) == ("done", [])
    assert jobs.release(store, "default", identifier) == 0


def quarantined(store: Store) -> list[dict[str, object]]:
    return store.rows("quarantined_list", {"tenant": "default", "job": "", "limit": 10})


def test_a_window_rests_between_attempts(store: Store) -> None:
    leases.plan(store, "default", "job", [WINDOW])
    first = leases.claim(store, "a", 60.0)
    assert first is not None
    assert leases.claim(store, "b", 60.0) is None
    assert leases.fail(store, first, "no", 3) == 2.0
    assert leases.claim(store, "b", 60.0) is None


@on_both_homes
def test_a_window_whose_lease_ended_is_taken_again_and_in_the_end_given_up(store: Store) -> None:
    tasks.attach(store, CorrelateSettings(max_attempts=2))
    steps = [passes.windows(WINDOW.start, WINDOW.end, 900)[0]]
    identifier = jobs.job_id("default", steps[0])
    jobs.save(store, jobs.Job("default", identifier, steps[0], state="running", steps_total=1))
    leases.plan(store, "default", identifier, steps)
    for attempt in (1, 2):
        killed = leases.claim(store, f"worker {attempt}", 0.0)
        assert killed is not None
        assert killed.attempts == attempt
    tasks.run_job.apply(args=["default", identifier])
    failed = jobs.load(store, "default", identifier)
    assert (failed.state, failed.steps_done) == ("failed", 0)
    assert "died" in failed.error


def test_the_sweeper_finds_a_job_whose_message_was_lost(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "hint", lambda *_: None)
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    monkeypatch.undo()
    running = EmbeddedWorker(store, SETTINGS.model_copy(update={"sweep_every_s": 1.0}))
    monkeypatch.setattr(jobs, "unfinished", lambda _: [])
    running.start()
    monkeypatch.undo()
    wait_for(lambda: jobs.load(store, "default", identifier).state == "done")
    running.stop()


def test_a_finished_job_is_not_run_again_by_a_second_message(store: Store) -> None:
    tasks.attach(store, SETTINGS)
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
    for _ in range(2):
        tasks.run_job.apply(args=["default", identifier])
    assert jobs.load(store, "default", identifier).attempts == 1


def outcome(store: Store) -> list[pl.DataFrame]:
    """What is stored of signals, incidents and topology, but when it was written."""
    queries = (
        "SELECT * EXCEPT (Version) FROM signals FINAL ORDER BY SignalId",
        "SELECT * EXCEPT (Version) FROM incidents FINAL ORDER BY IncidentId",
        "SELECT * EXCEPT (Version) FROM incident_signals FINAL ORDER BY IncidentId, SignalId",
        "SELECT EntityType, EntityName, Aliases FROM entities FINAL ORDER BY EntityType, EntityName",
        "SELECT * EXCEPT (Version) FROM entity_edges FINAL ORDER BY ALL",
    )
    return [to_frame(store.arrow_text(query)) for query in queries]


def test_shards_and_workers_change_nothing(store: Store) -> None:
    window = Window(nanos(0), nanos(3 * 900))
    fill(store, window, 7200, 13 * 10, shifted=7)
    outcomes = []
    for shards, threads in ((1, 1), (2, 3), (5, 3), (5, 1)):
        for table in ("signals", "incidents", "incident_signals", "entities", "entity_edges", "correlation_windows"):
            store.command(f"TRUNCATE TABLE {table}")
        running = EmbeddedWorker(
            store, CorrelateSettings(live_every_s=3600, series_shards=shards, backfill_threads=threads)
        )
        running.start()
        identifier = jobs.submit(store, "default", window.start, window.end)
        wait_for(lambda job=identifier: jobs.load(store, "default", job).state == "done", 120)  # type: ignore[misc]
        running.stop()
        outcomes.append(outcome(store))
    signals, incidents = outcomes[0][0].height, outcomes[0][1].height
    assert (signals > 5, incidents > 0) == (True, True), (signals, incidents)
    for other in outcomes[1:]:
        for first, second in zip(outcomes[0], other, strict=True):
            assert first.equals(second)


def test_a_job_that_a_version_without_leases_left_running_is_planned(store: Store) -> None:
    tasks.attach(store, SETTINGS)
    identifier = jobs.job_id("default", WINDOW)
    jobs.save(store, jobs.Job("default", identifier, WINDOW, state="running", steps_total=4, steps_done=1))
    tasks.run_job.apply(args=["default", identifier])
    ended = jobs.load(store, "default", identifier)
    assert (ended.state, ended.steps_done) == ("done", ended.steps_total)
    assert leases.counts(store, "default", identifier).total == ended.steps_total


def test_a_job_without_a_window_ends(store: Store) -> None:
    tasks.attach(store, SETTINGS)
    identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.start)
    tasks.run_job.apply(args=["default", identifier])
    assert jobs.load(store, "default", identifier).state == "done"


def test_a_job_that_is_asked_for_again_judges_its_windows_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.attach(store, SETTINGS)
    judged: list[Window] = []

    def judge(_store: Store, _tenant: str, window: Window, _settings: CorrelateSettings) -> int:
        judged.append(window)
        return 0

    monkeypatch.setattr(passes, "judge", judge)
    for times in (1, 2):
        identifier = jobs.submit(store, "default", WINDOW.start, WINDOW.end)
        tasks.run_job.apply(args=["default", identifier])
        assert jobs.load(store, "default", identifier).state == "done"
        assert len(judged) == times * len(passes.windows(WINDOW.start, WINDOW.end, SETTINGS.step_s))
