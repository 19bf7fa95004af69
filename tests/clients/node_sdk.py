"""OpenTelemetry's SDK for Node as a client, in a process of its own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.clients.description import PATH

FOLDER = Path(__file__).parent / "node"
ABSENT = "no SDK for Node: run `npm ci --prefix tests/clients/node --ignore-scripts`"


def installed() -> bool:
    """Whether node and the SDK are here."""
    return shutil.which("node") is not None and (FOLDER / "node_modules/@opentelemetry/sdk-trace").is_dir()


def send(protocol: str, endpoint: str, instance: str) -> None:
    """Send everything, `service.instance.id` being `instance`, over http/protobuf, http/json or grpc."""
    command = ["node", str(FOLDER / "send.js"), protocol, endpoint, instance]
    done = subprocess.run(command, input=PATH.read_bytes(), capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
