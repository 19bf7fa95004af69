"""Power cuts on a simulated disk. `python -m tests.faults.power` does more of them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import disk, power
from tests.faults.power import Outcome
from tests.kit import clickhouse_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600), pytest.mark.usefixtures("no_engine")]


@pytest.fixture
def directory() -> Iterator[Path]:
    if reason := disk.absent():
        missing(reason)
    with tempfile.TemporaryDirectory(dir=power.MEMORY) as path:
        yield Path(path)


def test_power_cuts(directory: Path, backend: str) -> None:
    if backend == "server" and not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    outcome = power.run(backend, 3, 2, directory)
    assert outcome.errors == []
    assert outcome.account.acknowledged > 3
    assert outcome.account.clean, outcome.account


def test_without_fsync_the_simulation_tells(directory: Path) -> None:
    try:
        outcome: Outcome | None = power.run("embedded", 3, 2, directory, control=True)
    except RuntimeError:
        # The database did not even open again.
        outcome = None
    assert outcome is None or outcome.account.lost
