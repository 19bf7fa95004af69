"""Some thousand inputs for every fuzzer; `make nightly` gives them a million."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import missing
from tests.kit.running import ROOT

RUNS = {"compression": 20_000, "otlp_json": 20_000, "http_bytes": 5_000, "protobuf": 400, "remote_write": 400}


@pytest.mark.parametrize("name", RUNS)
def test_nothing_breaks(name: str) -> None:
    try:
        import atheris  # noqa: F401
    except ImportError:
        missing("atheris, the fuzzer, has no build for this platform")
    command = [sys.executable, "-m", f"tests.fuzz.{name}", "--runs", str(RUNS[name])]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert f"fuzz {name}: {RUNS[name]:,} inputs" in done.stdout
