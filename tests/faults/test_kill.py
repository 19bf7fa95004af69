"""kill -9 under load loses nothing and stores nothing twice. `python -m tests.faults.kill` does more rounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import kill
from tests.kit import clickhouse_server


@pytest.mark.timeout(900)
@pytest.mark.usefixtures("no_engine")
def test_two_kills(tmp_path: Path) -> None:
    check("embedded", 2, tmp_path, longest_s=1.0)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("no_engine")
def test_kills(tmp_path: Path, backend: str) -> None:
    if backend == "server" and not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    check(backend, 6, tmp_path)


def check(home: str, rounds: int, directory: Path, longest_s: float = 3.0) -> None:
    result, errors = kill.run(home, rounds, 2, directory, longest_s)
    assert errors == []
    assert result.acknowledged > rounds
    assert result.retried
    assert result.clean, result
