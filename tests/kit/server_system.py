"""A whole system of several processes over a real ClickHouse server and a real Redis, on free loopback ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.processes import Process, verb
from tests.kit.redis_server import RedisServer

PARTS = ("serve", "serve", "worker", "worker", "beat")


class ServerSystem:
    """All processes over one ClickHouse and one Redis, in `folder`; a context manager.

    `processes` are in the order of `parts`; `environment` are further settings of all of them.
    """

    def __init__(
        self, folder: Path, parts: Sequence[str] = PARTS, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._parts = parts
        self._more = dict(environment or {})
        self._undo = ExitStack()
        self.processes: list[Process] = []

    def __enter__(self) -> ServerSystem:
        with ExitStack() as undo:
            (self._folder / "clickhouse").mkdir(parents=True, exist_ok=True)
            self.clickhouse = undo.enter_context(ClickHouseServer(self._folder / "clickhouse"))
            self.redis = undo.enter_context(RedisServer(self._folder, durable=True))
            urls = {"CAUSELINE_STORE__URL": self.clickhouse.url, "CAUSELINE_BROKER_URL": self.redis.url}
            verb("migrate", environment=urls)
            self.environment = urls | self._more
            for number, part in enumerate(self._parts):
                process = Process(part, self.environment, self._folder / f"{part}-{number}.log")
                self.processes.append(process)
                undo.push(process.__exit__)
                process.launch()
            for process in self.processes:
                process.wait_until_ready()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    @property
    def api(self) -> str:
        """URL of the first replica's API."""
        return self.processes[0].urls["api"]

    @property
    def otlp_http(self) -> str:
        """URL of the first replica's receiver."""
        return self.processes[0].urls["otlp_http"]
