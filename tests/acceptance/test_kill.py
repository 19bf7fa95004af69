"""kill -9 while telemetry pours in: after a restart and a second replay every row is there once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.running import ROOT, Up, causeline, expected, recording


@pytest.mark.parametrize("stored", [20, 200])
def test_counts_are_exact_after_kill_9_and_a_second_replay(tmp_path: Path, stored: int) -> None:
    file = recording(tmp_path / "telemetry.jsonl", 600)
    with Up(tmp_path / "data") as first:
        command = [sys.executable, "-m", "api.cli", "replay", str(file), "--endpoint", first.otlp]
        sender = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first.wait_for_requests(stored)
        first.kill()
        sender.kill()
        sender.wait(20)
    with Up(tmp_path / "data") as second:
        survived = second.counts()
        assert any(survived.values())
        assert survived != expected(600)
        done = causeline("replay", file, "--endpoint", second.otlp)
        assert done.returncode == 0, done.stderr
        assert second.counts() == expected(600)
