"""What reading Redis must survive beyond malformed messages, which tests/faults/test_poison.py pushes at a worker."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.connection import Connection

from correlate import malformed
from tests.conftest import missing
from tests.kit import redis_server
from tests.kit.redis_server import RedisServer


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    malformed.use()
    with RedisServer(tmp_path) as redis, dialled(redis.url) as connected:
        yield connected


def dialled(url: str) -> Connection:
    return Connection(url)  # type: ignore[no-untyped-call]  # kombu ships few types


def opened(connection: Connection) -> Any:
    return connection.SimpleQueue("work")  # type: ignore[no-untyped-call]  # kombu ships few types


def test_an_acknowledgement_after_redis_was_given_up_raises_an_error_of_connections(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    queue = opened(connection)
    queue.put({"hello": 1})
    message = queue.get(timeout=5)
    # What a worker does when Redis does not answer, while the message's task goes on in its thread.
    message.channel.close()
    message.channel._disconnect_pools()
    with pytest.raises(connection.connection_errors):
        message.ack()
    # As Celery acknowledges: told of, and nothing is raised into the loop that reads the broker.
    message.ack_log_error(logging.getLogger("test"), connection.connection_errors)
    assert "Couldn't ack" in caplog.text
    with dialled(connection.as_uri()) as other:
        assert opened(other).get(timeout=5).payload == {"hello": 1}
