"""The tasks over a real Redis broker, in a process of their own: what server mode will run."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, missing

PROGRAM = """
import sys, threading, time
from correlate import jobs, tasks
from correlate.celery_app import RUN_JOB, app
from correlate.settings import CorrelateSettings
from store import Store, StoreSettings, migrate

app.conf.broker_url = sys.argv[2]
store = Store.open(StoreSettings.embedded(sys.argv[1]))
migrate.apply(store)
tasks.attach(store, CorrelateSettings())
job = jobs.submit(store, "default", 1_700_000_000 * 10**9, 1_700_001_800 * 10**9)
# A second message for the same job is what a broker delivers after a reconnect.
app.send_task(RUN_JOB, args=["default", job], task_id=job)
print(jobs.load(store, "default", job).state, flush=True)
controller = app.WorkController(
    pool_cls="threads", concurrency=1, without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
)
thread = threading.Thread(target=controller.start, daemon=True)
thread.start()
deadline = time.monotonic() + 30
while jobs.load(store, "default", job).state != "done" and time.monotonic() < deadline:
    time.sleep(0.05)
time.sleep(0.5)
done = jobs.load(store, "default", job)
print(done.state, done.attempts, flush=True)
controller.stop()
thread.join(10)
store.close()
"""


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


def test_a_job_queued_before_the_worker_is_there_is_done_once(broker: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "data"), broker]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)
    assert done.stdout.split("\n")[:2] == ["queued", "done 1"], done.stderr[-2000:]
