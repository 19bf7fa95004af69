"""Bad connections on both sides of the receiver. `python -m tests.faults.links` prints the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import links
from tests.kit import clickhouse_server

pytestmark = [pytest.mark.usefixtures("no_engine"), pytest.mark.timeout(300)]
# The three seconds a request may wait for its batch, and what a busy machine adds.
SOON_S = 4.5


@pytest.mark.parametrize(
    "name", [name if name == "store reset" else pytest.param(name, marks=pytest.mark.slow) for name in links.FAULTS]
)
def test_a_bad_link(name: str, tmp_path: Path) -> None:
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    fault, report = links.FAULTS[name], links.run(name, tmp_path, 2 if name == "store reset" else 6)
    print(f"{name}: {report}")  # noqa: T201 - the figures of a run with -s
    assert report.errors == []
    assert report.account.clean, report
    assert report.account.retried, report
    assert set(report.answers) - {"200", "503"} <= ({"ReadError", "RemoteProtocolError", "WriteError"}), report
    if fault.link == links.STORE:
        assert report.slowest_s < SOON_S, report
        assert set(report.answers) <= {"200", "503"}, report
    if fault.stops:
        # What was on its way already.
        assert report.meanwhile <= 12, report
