"""The code of Grafana's own Prometheus data source as a client, in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "grafana"
BUNDLE = FOLDER / "node_modules/.bundle/ask.cjs"
ABSENT = "no Grafana data source: run `npm ci --prefix tests/clients/grafana --ignore-scripts`"


def installed() -> bool:
    """Whether node and the data source are here."""
    return shutil.which("node") is not None and (FOLDER / "node_modules/@grafana/prometheus").is_dir()


def ask(base: str, metric: str, label: str, start: int, end: int) -> dict[str, Any]:
    """What the data source learns from a Prometheus API (`told`) and which calls it made (`calls`); milliseconds."""
    if not BUNDLE.exists():
        subprocess.run(["node", "build.mjs"], cwd=FOLDER, check=True, capture_output=True, timeout=120)
    command = ["node", "-r", str(FOLDER / "page.cjs"), str(BUNDLE), base, metric, label, str(start), str(end)]
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
