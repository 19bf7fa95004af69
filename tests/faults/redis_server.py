"""A Redis server of our own that can be killed, stopped, emptied, and started again on what it kept."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from pathlib import Path

import redis

from tests.kit.clickhouse_server import free_port

ABSENT = "no redis-server on the path: apt-get install redis-server"


def installed() -> bool:
    """Whether there is a redis-server."""
    return shutil.which("redis-server") is not None


class RedisServer:
    """One server keeping an append-only file in `directory`, as docs say a broker should."""

    def __init__(self, directory: Path) -> None:
        self.port = free_port()
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, on what is in the directory, and return when it answers. Raises RuntimeError."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        command += ["--save", "", "--appendonly", "yes", "--appendfsync", "everysec"]
        with (self._directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while not self._answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError((self._directory / "redis.log").read_text(errors="replace")[-1000:])
            time.sleep(0.05)

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def send(self, number: signal.Signals) -> None:
        """Send a signal, SIGSTOP say."""
        if self._process is not None:
            self._process.send_signal(number)

    def client(self) -> redis.Redis:
        """A connection to it; close it."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def _answers(self) -> bool:
        client = self.client()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()
