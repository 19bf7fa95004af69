"""The systems under load: our receiver on either home, and rotel, each in a process of its own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx

from benchmarks.receiver import count_query
from tests.kit.clickhouse_server import ClickHouseServer, free_port

ROOT = Path(__file__).resolve().parent.parent
SCHEMA = ROOT / "benchmarks/rotel_schema.sql"
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """Processor time of a process so far (https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory_mib(pid: int, what: str = "VmRSS") -> float:
    """Resident memory of a process now, or its peak (VmHWM), in MiB."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


class System(ABC):
    """Something that takes OTLP over HTTP on `port` and stores it where it can be queried."""

    port: int
    pid: int

    @abstractmethod
    def count(self, signal: str) -> int:
        """Rows of a signal that can be queried now."""


class Receiver(System):
    """Our receiver, a child process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.port = int(self._line().split()[1])

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the receiver ended")
        return line

    def ask(self, command: str) -> Any:
        """The receiver's answer to a command; see benchmarks/receiver.py."""
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        return json.loads(self._line())

    def count(self, signal: str) -> int:
        return int(self.ask(f"count {signal}"))


class Rotel(System):
    """rotel with its ClickHouse exporter, a child process."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, url: str, database: str) -> None:
        self.port, self.pid = port, process.pid
        self._url, self._database = url, database

    def count(self, signal: str) -> int:
        return int(sql(self._url, count_query(signal), self._database))


def sql(url: str, text: str, database: str = "default") -> str:
    """Run a statement on a server; its answer."""
    answer = httpx.post(url, content=text, params={"database": database}, timeout=60)
    if answer.status_code != 200:
        raise SystemExit(f"the server refused {text[:60]!r}: {answer.text[:500]}")
    return answer.text


def statements(file: Path) -> list[str]:
    """The statements of an .sql file."""
    return [part for part in re.split(r";\s*\n", file.read_text(encoding="utf-8")) if "CREATE" in part]


@contextmanager
def receiver(url: str, database: str = "default") -> Iterator[Receiver]:
    """Our receiver over the store at `url`."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.receiver", url, database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Receiver(process)
    finally:
        with suppress(BrokenPipeError):
            process.stdin.close()
        process.wait(60)
        process.stdout.close()


def rotel_program() -> Path:
    """The program in rotel's wheel. Exits when it is not installed."""
    spec = find_spec("rotel")
    if spec is None or spec.origin is None:
        raise SystemExit("rotel is not installed here; leave it out with --systems server,embedded")
    return Path(spec.origin).parent / "rotel-agent"


def rotel_version() -> str:
    """What rotel calls itself."""
    if find_spec("rotel") is None:
        return "no rotel"
    told = subprocess.run(
        [str(rotel_program()), "--version"], capture_output=True, text=True, check=True
    ).stdout.strip()
    return f"{told} (wheel {version('rotel')})"


@contextmanager
def rotel(url: str, database: str, folder: Path) -> Iterator[Rotel]:
    """Rotel with its settings as shipped, filling `database` of the server."""
    for statement in statements(SCHEMA):
        sql(url, statement, database)
    port = free_port()
    options = {
        "--exporter": "clickhouse",
        "--clickhouse-exporter-endpoint": url,
        "--clickhouse-exporter-database": database,
        "--otlp-http-endpoint": f"127.0.0.1:{port}",
        "--otlp-grpc-endpoint": f"127.0.0.1:{free_port()}",
        "--pid-file": str(folder / "rotel.pid"),
        "--log-file": str(folder / "rotel.log"),
    }
    command = [str(rotel_program()), "start", *(word for option in options.items() for word in option)]
    with (folder / "rotel.out").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _listening(port)
        yield Rotel(process, port, url, database)
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listening(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{port}/", timeout=1)
            return
        time.sleep(0.05)
    raise SystemExit("rotel did not start")


@dataclass
class Arena:
    """Where systems are started: a scratch folder, and a ClickHouse server that those on a server share."""

    folder: Path
    server: ClickHouseServer | None
    _runs: int = 0

    @property
    def server_pid(self) -> int | None:
        """The server's process."""
        return self.server.pid if self.server else None

    @contextmanager
    def start(self, name: str) -> Iterator[System]:
        """A system by name (rotel, server, embedded) with empty tables, which are dropped in the end."""
        self._runs += 1
        database = f"run_{self._runs}"
        if name == "embedded":
            with receiver(f"chdb://{self.folder / database}") as system:
                yield system
            shutil.rmtree(self.folder / database)
            return
        assert self.server is not None
        url = self.server.url
        sql(url, f"CREATE DATABASE {database}")
        try:
            with rotel(url, database, self.folder) if name == "rotel" else receiver(url, database) as system:
                yield system
        finally:
            sql(url, f"DROP DATABASE {database} SYNC")
