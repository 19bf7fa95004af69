"""Server mode with a part gone, stopped, emptied or poisoned. `python -m tests.faults.outages` prints figures.

One fleet meets all faults, one after another, while clients send; the account is taken at the end.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import missing
from tests.faults.fleet import Fleet
from tests.faults.outages import FAULTS, Trial
from tests.kit import clickhouse_server, redis_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
# What must be known within three seconds, and what a busy machine adds.
SOON_S = 4.5


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
    first = trial.picture[0]["causes"] + trial.picture[1]["causes"]
    assert {"xid.79"} <= {kind for *_, kind in first}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_changes_nothing(trial: Trial, name: str) -> None:
    report = trial.suffer(name)
    print(f"{name}: {report}")  # noqa: T201 - the figures of a run with -s
    assert report.clean, (report, trial.fleet.logs())
    assert trial.load.errors == []
    assert set(report.work.states) == {"done"}
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


def test_what_was_acknowledged_is_stored_once(trial: Trial) -> None:
    found = trial.settle()
    assert found.acknowledged
    assert found.clean, found
