"""rotel, an OpenTelemetry collector in Rust, as a client that forwards what it is sent."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import httpx

from tests.kit.clickhouse_server import free_port

# As pyproject.toml has it: elsewhere there is no wheel, and so nothing that is missing.
OFFERED = sys.platform == "linux" and platform.machine() == "x86_64" and sys.version_info < (3, 14)
ABSENT = "no rotel here: run `make setup`"


class Rotel(NamedTuple):
    """Where a running rotel listens."""

    http: str
    grpc: str


def program() -> Path | None:
    """The program in rotel's wheel."""
    spec = find_spec("rotel")
    return Path(spec.origin).parent / "rotel-agent" if spec and spec.origin else None


@contextmanager
def forwarding(folder: Path, protocol: str, endpoint: str) -> Iterator[Rotel]:
    """A rotel that forwards over "grpc" or "http" to `endpoint`; what it holds is sent before it ends."""
    found = program()
    assert found is not None
    at = Rotel(f"http://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}")
    options = {
        "--exporter": "otlp",
        "--otlp-exporter-endpoint": endpoint,
        "--otlp-exporter-protocol": protocol,
        "--otlp-exporter-retry-initial-backoff": "200ms",
        "--otlp-http-endpoint": at.http.removeprefix("http://"),
        "--otlp-grpc-endpoint": at.grpc,
        "--pid-file": str(folder / "rotel.pid"),
        "--log-file": str(folder / "rotel.log"),
    }
    command = [str(found), "start", *(word for option in options.items() for word in option)]
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ROTEL_")}
    with (folder / "rotel.out").open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=plain)
    try:
        _listening(at.http)
        yield at
    finally:
        process.terminate()
        try:
            process.wait(20)
        finally:
            process.kill()
            process.wait(20)


def _listening(url: str) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            httpx.get(url, timeout=1)
            return
        time.sleep(0.05)
    raise AssertionError("rotel did not start")
