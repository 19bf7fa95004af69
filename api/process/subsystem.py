"""A whole system of our own in a child process, on free ports: for the demo and for evaluations."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from api.errors import UsageError

_READY = re.compile(r"^ready otlp_http=(\S+) otlp_grpc=\S+ api=(\S+) data=")
_STOP_S = 15.0
_USUAL_PORTS = (4318, 4317, 8080)


def _unwind(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


class Subsystem:
    """`causeline up` on `data`, up between `with` and its end.

    Ports are free ones, except that `keep` asks for the usual ports first, so that what is printed
    about a system that stays up is what the documentation says. `settings` are variables of docs/settings.md that
    go before those of the environment.
    """

    def __init__(self, data: Path, *, keep: bool = False, settings: Mapping[str, str] | None = None) -> None:
        self._data = data
        self._environment = {**os.environ, **(settings or {})}
        self._usual_ports = keep
        self._process: subprocess.Popen[str] | None = None
        self._stderr = tempfile.TemporaryFile("w+", encoding="utf-8")  # noqa: SIM115 - closed in __exit__
        self._before: Callable[[int, FrameType | None], Any] | int | None = None
        self.otlp_http_url = ""
        self.api_url = ""

    def __enter__(self) -> Subsystem:
        # Told to end, this process unwinds and so stops its child, which would otherwise live on.
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _unwind)
        if not (self._usual_ports and self._start(*_USUAL_PORTS)) and not self._start(0, 0, 0):
            raise UsageError(f"the system did not start: {self._complaint()}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._stderr.close()
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)

    def _start(self, http_port: int, grpc_port: int, api_port: int) -> bool:
        ports = ["--otlp-http-port", str(http_port), "--otlp-grpc-port", str(grpc_port), "--api-port", str(api_port)]
        command = [sys.executable, "-m", "api.cli", "up", "--data", str(self._data), *ports]
        self._process = subprocess.Popen(  # noqa: S603
            command, stdout=subprocess.PIPE, stderr=self._stderr, text=True, env=self._environment
        )
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if match := _READY.match(line):
                self.otlp_http_url, self.api_url = match.groups()
                return True
        self._process.wait()
        return False

    def _complaint(self) -> str:
        self._stderr.seek(0)
        return self._stderr.read().strip().rsplit("\n", 1)[-1] or "it gave no reason"

    def wait(self) -> None:
        """Return when the system ends or Ctrl-C is pressed."""
        assert self._process is not None
        try:
            self._process.wait()
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Stop the system cleanly; safe to call twice."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None
