"""Grafana's own Prometheus data source asks us and a real Prometheus with the same samples: it learns the same."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from ingest.remote_write import PATH
from tests.clients import grafana_client
from tests.clients.test_prometheus import asked, prometheus, until
from tests.conftest import missing
from tests.kit.exposition import Target
from tests.kit.running import Up

pytestmark = pytest.mark.slow


def points(api: str, end: float) -> int:
    """How many samples of `up` that API has until then."""
    data = asked(api, "query", query="sum(count_over_time(up[10m]))", time=str(end))
    return int(float(data["result"][0]["value"][1])) if data and data["result"] else 0


def texts(found: list[dict[str, Any]]) -> set[str]:
    """What a variable offers, without the label that remote write adds."""
    return {str(each["text"]).replace('cluster="blue",', "") for each in found}


def test_the_data_source_learns_what_a_real_prometheus_tells(tmp_path: Path) -> None:
    if not grafana_client.installed():
        missing(grafana_client.ABSENT)
    start = int(time.time() * 1000) - 60_000
    with Up(tmp_path / "data") as system, Target() as target:
        ours = f"{system.api}/prometheus"
        with prometheus(tmp_path, target.address, f"{system.otlp}{PATH}") as theirs:
            until(lambda: points(theirs, time.time()) < 8)
            end = time.time() - 1
            until(lambda: points(ours, end) != points(theirs, end))
            wanted, found = (grafana_client.ask(base, "up", "job", start, int(end * 1000)) for base in (theirs, ours))
    assert {call["status"] for call in found["calls"]} == {200}
    assert {call["path"] for call in found["calls"]} == {call["path"] for call in wanted["calls"]}
    wanted, found = wanted["told"], found["told"]
    assert found["exemplars"] is wanted["exemplars"] is True
    assert set(found["metrics"]) >= set(wanted["metrics"])
    assert {"job", "instance", "__name__"} <= set(found["labels"])
    for name in ("values", "series", "result", "tags"):
        assert wanted[name], name
        assert texts(found[name]) == texts(wanted[name]), name
    assert {key["text"] for key in found["keys"]} >= {key["text"] for key in wanted["keys"]}
    # A real Prometheus keys metadata by family; what remote write brings is known by the names of its series.
    known = {name.removesuffix(suffix) for name in found["metadata"] for suffix in ("", "_total", "_bucket")}
    families = {name for name in wanted["metadata"] if any(metric.startswith(name) for metric in wanted["metrics"])}
    assert families
    assert known >= families
