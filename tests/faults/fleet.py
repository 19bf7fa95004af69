"""Server mode in full: a ClickHouse server, Redis, receivers with the API, workers and clocks, each a process.

Between the workers and Redis, and between the receivers and Redis, lies a proxy that can be made bad.
"""

from __future__ import annotations

import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import redis

from store import Store, StoreSettings, migrate
from tests.faults.homes import CAUSELINE
from tests.faults.load import Target
from tests.faults.process import Process
from tests.faults.proxy import Proxy
from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.redis_server import RedisServer

# What a restart must not lose is told apart from what passes make of it.
_TELEMETRY = ("otel_", "ingest_", "schema_migrations")
# Seconds. A lease outlasts a window on all but the busiest machine: a second holder's end would be taken for that of
# the next trial's window, which has the same name.
LEASE_S = 180
# So that what a fault delays is over soon.
QUICK = {
    "CAUSELINE_CORRELATE__STEP_S": "600",
    "CAUSELINE_CORRELATE__LEASE_S": str(LEASE_S),
    "CAUSELINE_CORRELATE__SWEEP_EVERY_S": "3",
    "CAUSELINE_CORRELATE__LIVE_EVERY_S": "5",
    "CAUSELINE_BROKER__VISIBILITY_TIMEOUT_S": "20",
}


class Replicas(Target):
    """Any of the receivers, another at each attempt: what a load balancer does."""

    def __init__(self, serves: list[Process]) -> None:
        super().__init__()
        self._serves = serves

    @property
    def url(self) -> str:
        """Where to send this time."""
        return f"http://{_address(random.choice(self._serves).places['otlp_http'])}"

    @url.setter
    def url(self, url: str) -> None:
        """Receivers say themselves where they are."""


class Fleet:
    """`serves` receivers, `workers` workers and `beats` clocks over one ClickHouse server and one Redis."""

    def __init__(
        self, directory: Path, *, serves: int = 2, workers: int = 2, beats: int = 1, settings: Mapping[str, str] = QUICK
    ) -> None:
        self._directory = directory
        (directory / "clickhouse").mkdir()
        (directory / "redis").mkdir()
        self.clickhouse = ClickHouseServer(directory / "clickhouse", start_timeout_s=240, supervised=True)
        self.redis = RedisServer(directory / "redis", durable=True)
        self.link = Proxy(self.redis.port)
        self._undo = ExitStack()
        self._settings = settings
        self._counts = {"serve": serves, "worker": workers, "beat": beats}
        self.serves: list[Process] = []
        self.workers: list[Process] = []
        self.beats: list[Process] = []
        self.store_settings = StoreSettings(url=self.clickhouse.url)

    @property
    def processes(self) -> list[Process]:
        """All that are ours."""
        return [*self.serves, *self.workers, *self.beats]

    @property
    def target(self) -> Target:
        """Where clients send."""
        return Replicas(self.serves)

    @property
    def api(self) -> str:
        """Base URL of a receiver's API; the receiver runs."""
        return f"http://{_address(self._running().places['api'])}"

    @property
    def otlp(self) -> str:
        """Base URL of the same receiver's OTLP/HTTP port."""
        return f"http://{_address(self._running().places['otlp_http'])}"

    def _running(self) -> Process:
        return next(serve for serve in reversed(self.serves) if serve.alive)

    def __enter__(self) -> Fleet:
        with ExitStack() as undo:
            undo.enter_context(self.clickhouse)
            undo.callback(self.clickhouse.send, signal.SIGCONT)
            undo.enter_context(self.redis)
            with self.store() as store:
                migrate.apply(store)
            undo.enter_context(self.link)
            for verb, processes in (("serve", self.serves), ("worker", self.workers), ("beat", self.beats)):
                for number in range(self._counts[verb]):
                    process = self.make(verb, f"{verb}-{number}")
                    processes.append(process)
                    undo.callback(process.kill)
                    process.start()
            for process in self.processes:
                process.wait()
            self._undo = undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._undo.close()

    def broker(self) -> redis.Redis:
        """A connection of one's own to Redis; close it."""
        return redis.Redis(port=self.redis.port, socket_timeout=5)

    def make(self, verb: str, name: str, program: Sequence[str] = CAUSELINE, **settings: str) -> Process:
        """A process of this fleet that is not started."""
        environment = {
            "CAUSELINE_STORE__URL": self.clickhouse.url,
            "CAUSELINE_HEALTH_PORT": "0",
            "CAUSELINE_BROKER__URL": f"redis://127.0.0.1:{self.link.port}/0",
            "CAUSELINE_INGEST__RECEIVER": name,
            **self._settings,
            **settings,
        }
        ports = ["--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0"] if verb == "serve" else []
        return Process(name, [verb, *ports], self._directory, environment, program)

    def adopt(self, process: Process) -> None:
        """End a process that a test has started, with the fleet."""
        self._undo.callback(process.kill)

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The server's tables, as they are."""
        store = Store.open(self.store_settings)
        try:
            yield store
        finally:
            store.close()

    def forget(self) -> None:
        """Delete what passes made of the telemetry, jobs and their windows too: the telemetry stays."""
        with self.store() as store:
            tables = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
            for table in store.arrow_text(tables)["name"].to_pylist():
                if not table.startswith(_TELEMETRY):
                    store.command(f"TRUNCATE TABLE {table}")

    def unready(self, seconds: float = 60) -> dict[str, str]:
        """What processes say for themselves that do not come to say, within so many seconds, that they do their part.

        A process that runs and works no more is found out here.
        """
        deadline = time.monotonic() + seconds
        while (found := self._unready()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _unready(self) -> dict[str, str]:
        return {process.name: said for process in self.processes if (said := process.unready())}

    def logs(self) -> str:
        """The end of every process's log, for a failure's message."""
        return "\n".join(f"--- {process.name}\n{process.tail(1500)}" for process in self.processes)


@contextmanager
def fleet() -> Iterator[Fleet]:
    """A fleet in a folder of its own, for programs: it ends with them, also when they are told to."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory() as directory, Fleet(Path(directory)) as running:
        yield running


def _address(place: str) -> str:
    return place.removeprefix("http://")
