"""Bad connections on both sides of the receiver. `python -m tests.faults.links` prints the figures."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import missing
from tests.faults import links
from tests.kit import clickhouse_server

pytestmark = pytest.mark.usefixtures("no_engine")
# The three seconds a request may wait for its batch, and what a busy machine adds.
SOON_S = 4.5
BROKEN = {"ReadError", "RemoteProtocolError", "WriteError", "ReadTimeout"}


def test_a_store_that_resets_every_connection(tmp_path: Path) -> None:
    check(["store reset"], tmp_path, 2)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("link", [links.CLIENTS, links.STORE])
def test_every_bad_link(link: str, tmp_path: Path) -> None:
    check([name for name, fault in links.FAULTS.items() if fault.link == link], tmp_path, 6)


def check(names: list[str], directory: Path, seconds: float) -> None:
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    outcome = links.run(names, directory, seconds)
    assert outcome.errors == []
    assert outcome.account.clean, outcome
    assert outcome.account.retried, outcome
    for name, report in outcome.reports.items():
        fault = links.FAULTS[name]
        # What the clients' own link breaks they see; what is behind the receiver they are told of.
        broken = BROKEN if fault.link == links.CLIENTS else set()
        assert set(report.answers) <= {"200", "503"} | broken, (name, report)
        if fault.link == links.STORE:
            assert report.slowest_s < SOON_S, (name, report)
        if fault.stops:
            # What was on its way already: one request of each client, and once more for good measure.
            assert report.meanwhile <= 12, (name, report)
