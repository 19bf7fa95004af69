"""Several processes on a real ClickHouse and a real Redis find what one process finds. Minutes, not seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.up_server import replay
from tests.acceptance.test_datasets import counted, every_incident
from tests.conftest import missing
from tests.kit import clickhouse_server, redis_server
from tests.kit.running import Up
from tests.kit.server_system import ServerSystem

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


def test_it_finds_the_incidents_that_one_embedded_process_finds(shared: Path, tmp_path: Path) -> None:
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    folder = shared / "datasets" / "gpu-dev-a"
    with Up(tmp_path / "data") as embedded:
        replay(folder, embedded.otlp, embedded.api)
        expected = every_incident(embedded.api)
        assert embedded.counts() == counted(folder / "labels.json")
    with ServerSystem(tmp_path / "server") as server:
        replay(folder, server.otlp_http, server.api)
        # What the first replica took in, the second shows.
        found = every_incident(server.processes[1].urls["api"])
    assert expected
    assert found == expected
