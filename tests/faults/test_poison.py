"""A worker refuses what is no work for it, and lives (reference: CVE-2021-23727 and every pickle in a queue)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, missing
from tests.faults import poison
from tests.kit import redis_server
from tests.kit.redis_server import RedisServer


def test_poison_is_refused_and_the_worker_lives(tmp_path: Path) -> None:
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    with RedisServer(tmp_path) as redis:
        command = [sys.executable, "-m", "tests.faults.poisoned", str(redis.port)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    told = {line["poison"]: line for line in map(json.loads, done.stdout.splitlines())}
    assert told.keys() == {"nothing", *poison.messages()}, done.stderr[-2000:]
    assert [name for name, line in told.items() if not line["alive"]] == [], done.stderr[-2000:]
    assert not any(line["executed"] for line in told.values())
    # Nothing is thrown away without a word.
    assert told.pop("nothing")["said"] == 0
    assert [name for name, line in told.items() if not line["said"]] == []
