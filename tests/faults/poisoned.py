"""A worker without a store that is given poison: `python -m tests.faults.poisoned REDIS_PORT`.

Prints a line for each kind of poison: whether the worker has done the next thing it was asked, and what it said.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time

import redis

from correlate import broker
from correlate.celery_app import app
from tests.faults import poison

_PATIENCE_S = 30.0
_done: set[int] = set()


@app.task(name="tests.ping")  # type: ignore[untyped-decorator]  # celery ships no types
def ping(number: int) -> None:
    """What an honest caller asks for."""
    _done.add(number)


class _Said(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main(port: int) -> None:
    """Give the worker one poison after another."""
    said = _Said()
    logging.getLogger().addHandler(said)
    broker.use(broker.BrokerSettings(url=f"redis://127.0.0.1:{port}/0"))
    worker = app.WorkController(
        pool_cls="threads", concurrency=2, without_gossip=True, without_mingle=True, without_heartbeat=True, quiet=True
    )
    thread = threading.Thread(target=worker.start, daemon=True)
    thread.start()
    client = redis.Redis(port=port)
    for number, (name, message) in enumerate({"nothing": "", **poison.messages()}.items()):
        if message:
            client.lpush(poison.QUEUE, message)
        app.send_task("tests.ping", args=[number])
        deadline = time.monotonic() + _PATIENCE_S
        while number not in _done and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        alive = number in _done and thread.is_alive()
        line = {"poison": name, "alive": alive, "executed": poison.executed(), "said": len(said.lines)}
        print(json.dumps(line), flush=True)  # noqa: T201
        said.lines.clear()
    worker.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
