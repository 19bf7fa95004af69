"""`causeline doctor`: what it prints, its exit code, and what it finds of a real Redis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.process import broker_checkup
from correlate.broker import BrokerSettings
from store.finding import Grade
from tests.conftest import missing
from tests.kit import redis_server
from tests.kit.redis_server import RedisServer
from tests.kit.running import causeline


def test_a_new_data_directory_has_no_tables_yet(tmp_path: Path) -> None:
    found = causeline("doctor", "--json", "--data", tmp_path, timeout=300)
    assert found.returncode == 1, found.stderr
    findings = {row["check"]: row for row in json.loads(found.stdout)}
    assert findings["tables"]["grade"] == "problem"
    assert findings["tables"]["advice"] == "run `causeline migrate`"
    assert findings["broker"]["grade"] == "ok"


@pytest.mark.parametrize(
    ("url", "grade"), [("memory://", Grade.OK), ("redis://127.0.0.1:1/0", Grade.PROBLEM), ("sentinel://h", Grade.OK)]
)
def test_brokers_without_a_redis(url: str, grade: Grade) -> None:
    assert [finding.grade for finding in broker_checkup.findings(BrokerSettings(url=url))] == [grade]


@pytest.mark.parametrize(("durable", "grade"), [(False, Grade.WARNING), (True, Grade.OK)])
def test_what_is_found_of_a_real_redis(tmp_path: Path, *, durable: bool, grade: Grade) -> None:
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    with RedisServer(tmp_path, durable=durable) as redis:
        found = broker_checkup.findings(BrokerSettings(url=redis.url))
    (kept,) = [finding for finding in found if "append-only file" in finding.said]
    assert kept.grade is grade
    assert [finding for finding in found if finding.grade is not Grade.OK and not finding.advice] == []
