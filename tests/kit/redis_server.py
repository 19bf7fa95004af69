"""A real Redis server of our own in a child process, on a free loopback port."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from tests.kit.clickhouse_server import free_port

ABSENT = "no redis-server on the path: apt-get install redis-server"


def installed() -> bool:
    """Whether there is a redis-server."""
    return shutil.which("redis-server") is not None


class RedisServer:
    """One server keeping its append-only file in `directory`; a context manager.

    It may be killed and started again on the same port. `url` names its first database, `acl` a file with its users.
    """

    def __init__(self, directory: Path, *, durable: bool = False, acl: Path | None = None) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._directory = directory
        self._durable = durable
        self._acl = acl
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def start(self) -> None:
        """Listen. Raises RuntimeError when it does not within twenty seconds."""
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._directory)]
        command += ["--save", "", "--appendonly", "yes" if self._durable else "no", "--maxmemory-policy", "noeviction"]
        command += ["--aclfile", str(self._acl)] if self._acl else []
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not self.answers():
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError("redis-server did not start")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def send(self, number: int) -> None:
        """Send a signal to the server, SIGSTOP say."""
        if self._process is not None:
            self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL; `start` starts it again."""
        self.send(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(10)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
