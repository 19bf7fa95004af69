"""Server mode with a part gone, stopped, emptied or poisoned. `python -m tests.faults.outages` prints figures.

One fleet meets all faults, one after another, while clients send; the account is taken at the end.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from store import Window
from tests.conftest import missing
from tests.faults import story
from tests.faults.fleet import LEASE_S, Fleet
from tests.faults.outages import FAULTS, Trial
from tests.kit import clickhouse_server, redis_server
from tests.kit.recorded import END, moved

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
# What must be known within three seconds, and what a busy machine adds.
SOON_S = 4.5
# With these a window under way is lost, and done again. With the others each is done once, unless the machine is so
# busy that a lease ends under a window.
AGAIN = {"kill every worker", "kill clickhouse", "stop clickhouse"}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    with Fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield Trial(running)


def test_there_is_something_to_compare(trial: Trial) -> None:
    assert len(trial.picture) == 2
    assert "xid.79" in kinds(trial.picture)


def kinds(picture: story.Picture) -> set[str]:
    """What the causes of incidents are."""
    return {kind for shown in picture for *_, kind in shown["causes"]}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_nothing(trial: Trial, name: str) -> None:
    report = trial.suffer(name)
    print(f"{name}: {report}")  # noqa: T201 - the figures of a run with -s
    assert report.clean, (report, trial.fleet.logs())
    assert trial.load.errors == []
    assert set(report.work.states) == {"done"}
    assert name in AGAIN or report.seconds > LEASE_S or set(report.work.attempts) == {1}, report
    seen = report.seen
    assert all(seconds < SOON_S for what, seconds in seen.items() if what.endswith(" s")), report
    assert seen.get("acknowledged without Redis", 1), report
    assert not seen.keys() & {"answers ingest 500", "answers api 500"}, report
    if "clickhouse" in name:
        assert seen["answers ingest 503"], report
        assert seen["answers api 503"], report
    if name == "poisoned queue":
        assert seen["pickles executed"] == 0, report
        assert seen["workers alive"] == len(trial.fleet.workers), report


def test_an_incident_appears_though_redis_was_away_when_it_happened(trial: Trial) -> None:
    """Nobody asks for a back-fill: the clock ticks on, and what no live pass saw is late."""
    now = time.time_ns()
    story_now = moved(story.hour(), now - END)
    trial.fleet.redis.send(signal.SIGSTOP)
    try:
        story.tell(trial.fleet.otlp, story_now)
    finally:
        trial.fleet.redis.send(signal.SIGCONT)
    healed = time.monotonic()
    judged = Window(now - 3600 * 10**9, now)
    while not any(
        cause[3] == "xid.79" for shown in story.picture(trial.fleet.api, judged) for cause in shown["causes"]
    ):
        assert time.monotonic() - healed < 300, trial.fleet.logs()
        time.sleep(1)
    print(f"an incident after {time.monotonic() - healed:.1f} s")  # noqa: T201 - the figures of a run with -s


def test_what_was_acknowledged_is_stored_once(trial: Trial) -> None:
    found = trial.settle()
    assert found.acknowledged
    assert found.clean, found
