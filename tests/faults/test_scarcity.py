"""What a receiver does when something it needs is gone, and that it goes on by itself when it is back.

In every case: nothing but 200 and 503, soon, and what was acknowledged is stored once.
"""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.conftest import missing
from tests.faults import account
from tests.faults.homes import Home
from tests.faults.load import Load, Target, build
from tests.kit import clickhouse_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("no_engine")]

MIB = 1024 * 1024
# How long a busy machine may take to go on; on a quiet one it is a second or two.
PATIENCE_S = 240
# An answer takes at most the three seconds a request may wait for its batch, and what a busy machine adds.
SOON_S = 4.5


@contextmanager
def running(name: str, directory: Path, **settings: str) -> Iterator[tuple[Home, Load]]:
    """A system under load from a few clients; both end with the block."""
    if name == "server" and not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    home = Home(name, directory, target := Target(), settings)
    load = Load(target, seed=5, clients=6)
    try:
        home.start()
        load.start()
        yield home, load
    finally:
        home.resume_server()
        home.receiver.kill()
        home.kill_server()


def settle(home: Home, load: Load) -> account.Account:
    """The account once everybody is answered and the receiver has ended."""
    load.finish()
    home.stop()
    return account.take(home.store, load.sent)


def refused(home: Home, load: Load) -> bool:
    """Whether one more request is answered 503, soon and with a pause; anything else but 200 fails the test."""
    sent, body = build(random.Random(), f"probe-{len(load.sent)}", 3)
    load.sent.append(sent)
    headers = {"Content-Type": "application/x-protobuf"}
    started = time.monotonic()
    answer = httpx.post(f"{home.receiver.target.url}/v1/{sent.signal}", content=body, headers=headers, timeout=15)
    seconds = time.monotonic() - started
    assert answer.status_code in {200, 503}
    assert seconds < SOON_S
    sent.acknowledged = answer.status_code == 200
    if not sent.acknowledged:
        assert 1 <= int(answer.headers["retry-after"]) <= 3
    return not sent.acknowledged


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)


def acknowledged_more(load: Load, by: int = 10) -> Callable[[], bool]:
    wanted = load.acknowledged + by
    return lambda: load.acknowledged >= wanted


@pytest.mark.parametrize("stop", ["SIGSTOP", "SIGKILL"])
def test_a_server_that_does_not_answer(tmp_path: Path, stop: str) -> None:
    with running("server", tmp_path) as (home, load):
        until(acknowledged_more(load))
        if stop == "SIGSTOP":
            home.pause_server()
        else:
            home.kill_server()
        assert [refused(home, load) for _ in range(3)] == [True] * 3
        if stop == "SIGSTOP":
            home.resume_server()
        else:
            assert home.server is not None
            home.server.__enter__()
        until(acknowledged_more(load))
        assert not load.errors
        assert settle(home, load).clean


def test_the_process_ends_though_its_server_does_not_answer(tmp_path: Path) -> None:
    with running("server", tmp_path) as (home, load):
        until(acknowledged_more(load))
        home.pause_server()
        assert refused(home, load)
        assert ended(home) < 10
        home.resume_server()
        home.receiver.start()
        home.receiver.wait()
        assert not load.errors
        assert settle(home, load).clean


def ended(home: Home) -> float:
    """Seconds from SIGTERM to the end."""
    assert home.receiver.process is not None
    started = time.monotonic()
    home.receiver.process.send_signal(signal.SIGTERM)
    assert home.receiver.process.wait(60) in {0, 1}
    return time.monotonic() - started


def test_sigterm_answers_who_waits_and_ends_in_ten_seconds(tmp_path: Path) -> None:
    with running("embedded", tmp_path) as (home, load):
        until(acknowledged_more(load))
        assert ended(home) < 10
        home.receiver.start()
        home.receiver.wait()
        assert not load.errors
        assert settle(home, load).clean


def test_no_file_descriptors_left(tmp_path: Path) -> None:
    with running("embedded", tmp_path) as (home, load), ExitStack() as idle:
        until(acknowledged_more(load))
        process = home.receiver.process
        assert process is not None
        used = len(list(Path(f"/proc/{process.pid}/fd").iterdir()))
        resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (used + 120, used + 120))
        host, port = home.receiver.target.url.removeprefix("http://").split(":")
        for _ in range(200):
            idle.enter_context(socket.create_connection((host, int(port)), timeout=5))
        time.sleep(3)
        assert process.poll() is None
        idle.close()
        until(acknowledged_more(load, 20))
        assert not load.errors
        assert settle(home, load).clean


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room."""
    if os.geteuid() != 0:
        missing("a full disk needs root, to mount one")
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", str(path)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        missing(f"no file system of limited size can be mounted: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


@pytest.mark.parametrize("reserve", [0, 30 * MIB], ids=["no reserve", "a reserve"])
def test_a_full_disk(small_disk: Path, reserve: int) -> None:
    """With a reserve the receiver says no before the disk is full; without one the engine does."""
    settings = {
        "CAUSELINE_INGEST__MIN_FREE_BYTES": str(reserve),
        "CAUSELINE_INGEST__MIN_FREE_RATIO": "0",
    }
    with running("embedded", small_disk, **settings) as (home, load):
        until(acknowledged_more(load))
        ballast = small_disk / "ballast"
        fill(ballast)
        until(lambda: refused(home, load))
        status = httpx.get(f"{home.receiver.api}/api/v1/status", timeout=10)
        assert status.status_code == 200
        assert status.json()["counts"]["spans"] > 0
        ballast.unlink()
        until(acknowledged_more(load))
        assert not load.errors
        assert settle(home, load).clean


def fill(path: Path) -> None:
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(MIB // 16))
        except OSError:
            return
