"""Real `causeline serve`, `worker` and `beat` processes over a server and a broker, as an operator starts them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
_URLS = re.compile(r"(\w+)=(\S+)")
# Ports that are free, of every kind.
_FREE = {
    f"CAUSELINE_{name}_PORT": "0" for name in ("OTLP_HTTP", "OTLP_GRPC", "API", "HEALTH")
}  # fmt: skip


class Process:
    """`causeline VERB` with the given variables; `with` waits for its ready line and ends with SIGTERM.

    `urls` has what the ready line names: otlp_http, otlp_grpc and api, or health. `log` is a file with what it
    complained about.
    """

    def __init__(self, verb: str, environment: Mapping[str, str], log: Path) -> None:
        self._verb = verb
        self._environment = {**os.environ, **_FREE, **environment}
        self.log = log
        self.ready = ""
        self.urls: dict[str, str] = {}

    def __enter__(self) -> Process:
        self.start()
        return self

    def start(self) -> None:
        """Start, and return when it is ready."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start, and return at once."""
        command = [sys.executable, "-m", "api.cli", self._verb]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def wait_until_ready(self) -> None:
        """Return once it has said so."""
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline().strip()
        assert self.ready.startswith("ready "), f"{self._verb} is not ready: {self.log.read_text()[-2000:]}"
        self.urls = dict(_URLS.findall(self.ready))

    def readiness(self) -> tuple[int, list[str]]:
        """The status of /readyz and the codes of its reasons."""
        url = self.urls.get("api") or self.urls["health"]
        answer = httpx.get(f"{url}/readyz", timeout=30)
        return answer.status_code, [reason["code"] for reason in answer.json()["reasons"]]

    def terminate(self, seconds: float = 30) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(20)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            try:
                self.terminate()
            except subprocess.TimeoutExpired:
                self.kill()
        if self.process.stdout is not None:
            self.process.stdout.close()


def verb(name: str, *arguments: str, environment: Mapping[str, str] | None = None, timeout: float = 300) -> str:
    """What a verb that ends prints. Raises RuntimeError with what it complained about when it fails."""
    command = [sys.executable, "-m", "api.cli", name, *arguments]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=timeout,
        check=False,
    )  # fmt: skip
    if ended.returncode:
        raise RuntimeError(f"{name}: {ended.stderr.strip()[-2000:]}")
    return ended.stdout
