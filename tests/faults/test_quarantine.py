"""A window that kills every worker that judges it is given up after some attempts, and holds up nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from store import Window
from tests.conftest import missing
from tests.faults import story
from tests.faults.fleet import QUICK, Fleet
from tests.kit import clickhouse_server, redis_server
from tests.kit.recorded import END

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
MAX_ATTEMPTS = 3
STEP_S = 900
# Four windows of hours before any telemetry: to judge one takes no time.
JUDGED = Window(END - 500 * 3600 * 10**9, END - 499 * 3600 * 10**9)
DEADLY = JUDGED.start + STEP_S * 10**9
SETTINGS = QUICK | {
    "CAUSELINE_CORRELATE__STEP_S": str(STEP_S),
    "CAUSELINE_CORRELATE__MAX_ATTEMPTS": str(MAX_ATTEMPTS),
    "CAUSELINE_CORRELATE__LEASE_S": "5",
}


def test_a_window_that_kills_its_worker(tmp_path: Path) -> None:
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    with Fleet(tmp_path, serves=1, workers=0, settings=SETTINGS) as fleet:
        worker = fleet.make("worker", "deadly", program=["-m", "tests.faults.deadly", str(DEADLY)])
        fleet.adopt(worker)
        worker.start()
        identifier, _ = story.ask(fleet.api, JUDGED)
        deaths, deadline = 0, time.monotonic() + 400
        while (job := story.job(fleet.api, identifier))["state"] not in {"done", "failed"}:
            assert time.monotonic() < deadline, (job, deaths, fleet.logs())
            if not worker.alive:
                # As its supervisor would.
                deaths += 1
                worker.start()
            time.sleep(0.2)
        worker.wait()
        assert deaths == MAX_ATTEMPTS
        assert (job["state"], job["steps_done"], job["steps_total"]) == ("failed", 3, 4)
        (given_up,) = httpx.get(f"{fleet.api}/api/v1/correlations/{identifier}/quarantined").json()["windows"]
        assert "died" in given_up["error"]
        with fleet.store() as store:
            assert story.work(store, identifier).states == {"done": 3, "quarantined": 1}
        # The worker lives on, and takes what comes.
        other = Window(JUDGED.end, JUDGED.end + STEP_S * 10**9)
        assert story.ended(fleet.api, story.ask(fleet.api, other)[0])["state"] == "done"
        assert worker.alive
