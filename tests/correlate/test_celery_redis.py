"""The tasks over a real Redis broker, in processes of their own: what server mode runs, and what kill -9 does to it."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, missing

_START = """
import sys, threading, time
from correlate import jobs, leases, tasks
from correlate.celery_app import RUN_JOB, app
from correlate.settings import CorrelateSettings
from store import Store, StoreSettings, migrate

app.conf.broker_url = sys.argv[2]
store = Store.open(StoreSettings.embedded(sys.argv[1]))
migrate.apply(store)

def work(job, settings, seconds=120):
    tasks.attach(store, settings)
    controller = app.WorkController(
        pool_cls="threads", concurrency=2, without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
    )
    thread = threading.Thread(target=controller.start, daemon=True)
    thread.start()
    deadline = time.monotonic() + seconds
    while jobs.load(store, "default", job).state != "done" and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.5)
    found = leases.counts(store, "default", job)
    print(jobs.load(store, "default", job).state, found.done, found.attempts, flush=True)
    controller.stop()
    thread.join(10)
    store.close()
"""
PROGRAM = (
    _START
    + """
job = jobs.submit(store, "default", 1_700_000_000 * 10**9, 1_700_001_800 * 10**9)
# A second message for the same job is what a broker delivers after a reconnect.
app.send_task(RUN_JOB, args=["default", job], task_id=job)
print(jobs.load(store, "default", job).state, flush=True)
work(job, CorrelateSettings())
"""
)
# Says when a window is held and then takes for ever over it, as a worker does that is killed.
VICTIM = (
    _START
    + """
from correlate import passes

judge = passes.judge
def held(store, tenant, window, settings):
    if leases.counts(store, tenant, job).done == 2:
        print("held", flush=True)
        time.sleep(600)
    return judge(store, tenant, window, settings)

passes.judge = held
job = jobs.submit(store, "default", 1_700_000_000 * 10**9, 1_700_005_400 * 10**9)
work(job, CorrelateSettings(lease_s=2))
"""
)
HEIR = (
    _START
    + """
job = jobs.unfinished(store)[0][1]
time.sleep(2)
# The message died with the worker or is hidden by the broker: the sweeper does without it.
tasks.attach(store, CorrelateSettings(late_s=0))
tasks.sweep.apply(args=["default"])
work(job, CorrelateSettings(lease_s=2))
"""
)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    """URL of a Redis server of our own."""
    program = shutil.which("redis-server")
    if program is None:
        missing("no redis-server on the path: apt-get install redis-server")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [str(program), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 10
    while not _answers(port):
        assert time.monotonic() < deadline, "redis-server did not start"
        time.sleep(0.05)
    yield f"redis://127.0.0.1:{port}/0"
    server.terminate()
    server.wait(10)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(program: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def survives_a_kill(broker_url: str, data: Path) -> None:
    victim = start(VICTIM, data, broker_url)
    assert victim.stdout is not None
    line = victim.stdout.readline()
    victim.send_signal(signal.SIGKILL)
    _, errors = victim.communicate(timeout=30)
    assert line == "held\n", errors[-2000:]
    told, errors = start(HEIR, data, broker_url).communicate(timeout=180)
    # Seven windows: two were done before the kill, and the one that was held took a second attempt.
    assert told == "done 7 2\n", errors[-2000:]


def test_a_job_queued_before_the_worker_is_there_is_done_once(broker: str, tmp_path: Path) -> None:
    told, errors = start(PROGRAM, tmp_path / "data", broker).communicate(timeout=180)
    assert told.split("\n")[:2] == ["queued", "done 3 1"], errors[-2000:]


def test_a_killed_workers_window_is_taken_up_again_over_redis(broker: str, tmp_path: Path) -> None:
    survives_a_kill(broker, tmp_path / "data")


def test_a_killed_workers_window_is_taken_up_again_in_memory(tmp_path: Path) -> None:
    survives_a_kill("memory://localhost", tmp_path / "data")
