"""A clock that is stepped under load. `python -m tests.faults.clock` prints the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import clock
from tests.kit import clickhouse_server

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900), pytest.mark.usefixtures("no_engine")]


def test_a_clock_that_is_stepped(tmp_path: Path, backend: str) -> None:
    if backend == "server" and not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    report = clock.run(backend, tmp_path)
    print(f"{backend}: {report}")  # noqa: T201 - the figures of a run with -s
    assert report.errors == []
    assert report.account.clean, report
    assert max(report.acknowledged_s.values()) < 30, report
    # A job that was done with the clock ahead is done again with it back, and says when.
    assert max(map(abs, report.written_s.values())) < 60, report
