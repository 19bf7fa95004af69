"""One `causeline` process that can be killed, stopped and started again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx

from tests.faults.homes import CAUSELINE
from tests.kit.running import ROOT

_READY = re.compile(r"^ready\b.*$", re.MULTILINE)
_PLACES = re.compile(r"(\w+)=(\S+)")


class Process:
    """`causeline VERB ...`; what it prints goes to files beside each other, so that no full pipe stops it.

    `places` is what its ready line says: `api`, `otlp_http` and so on. `program` is what Python runs.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        directory: Path,
        environment: Mapping[str, str],
        program: Sequence[str] = CAUSELINE,
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.places: dict[str, str] = {}
        self.process: subprocess.Popen[bytes] | None = None
        self._out = directory / f"{name}.out"
        self._command = [sys.executable, *program, *arguments]
        self._environment = {**os.environ, **environment}

    def start(self) -> None:
        """Start; `wait` returns when it is ready."""
        with self.log.open("ab") as log, self._out.open("wb") as out:
            self.process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment, stdout=out, stderr=log)

    def wait(self, seconds: float = 300) -> None:
        """Return when it has said that it is ready. Raises RuntimeError with what it said instead."""
        assert self.process is not None
        deadline = time.monotonic() + seconds
        while not (said := _READY.search(self._out.read_text(encoding="utf-8"))):
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} is not ready: {self.tail()}")
            time.sleep(0.05)
        self.places = dict(_PLACES.findall(said[0]))

    def unready(self) -> str:
        """What it says while it cannot do its part; empty when it can."""
        url = (self.places.get("health") or self.places["api"]).rstrip("/")
        try:
            answer = httpx.get(f"{url}/readyz", timeout=10, trust_env=False)
        except httpx.TransportError as error:
            return type(error).__name__
        return "" if answer.is_success else answer.text

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process is not None
        return self.process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal, SIGSTOP say."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL, whatever state it is in."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(30)

    def stop(self, seconds: float = 30) -> float:
        """SIGTERM; how long it took to end. Raises TimeoutExpired."""
        assert self.process is not None
        started = time.monotonic()
        self.process.terminate()
        self.process.wait(seconds)
        return time.monotonic() - started

    def tail(self, most: int = 2000) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-most:]
