"""serve, worker and beat on a real server and broker: what hangs, what is refused meanwhile, and how they end."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import missing
from tests.kit import clickhouse_server, redis_server
from tests.kit.otlp import busy_request, serialized
from tests.kit.processes import Process, verb
from tests.kit.server_system import ServerSystem

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1500)]

PROTOBUF = {"Content-Type": "application/x-protobuf"}
# Three seconds is what is promised; the rest is for a machine that has other things to do.
PROMISED_S = 3.0
SLACK_S = 3.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerSystem]:
    """One of each."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    if not redis_server.installed():
        missing(redis_server.ABSENT)
    folder = tmp_path_factory.mktemp("system")
    with ServerSystem(folder, ("serve", "worker", "beat"), {"CAUSELINE_DRAIN_NOTICE_S": "1"}) as running:
        yield running


def send(system: ServerSystem, number: int) -> httpx.Response:
    body = serialized(busy_request(random.Random(number), 7))
    return httpx.post(f"{system.otlp_http}/v1/traces", content=body, headers=PROTOBUF, timeout=60)


def stored(system: ServerSystem, number: int) -> bool:
    """Whether a request is stored in the end, sent again as exporters do: a busy machine may take more than a try."""
    waits(lambda: send(system, number).status_code == 200)
    return True


def submit(system: ServerSystem, day: int) -> httpx.Response:
    wanted = {"start": f"2026-01-{day:02}T00:00:00Z", "end": f"2026-01-{day:02}T00:15:00Z"}
    return httpx.post(f"{system.api}/api/v1/correlations", json=wanted, timeout=60)


def state(system: ServerSystem, identifier: str) -> str:
    return str(httpx.get(f"{system.api}/api/v1/correlations/{identifier}", timeout=60).json()["state"])


def waits(what: Callable[[], bool], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.2)


def timed(ask: Callable[[], httpx.Response]) -> tuple[int, float]:
    began = time.monotonic()
    return ask().status_code, time.monotonic() - began


def test_all_are_ready_and_a_job_of_one_is_done_by_another(system: ServerSystem) -> None:
    for process in system.processes:
        assert process.readiness() == (200, [])
        assert verb("health", "--url", process.urls.get("api") or process.urls["health"]) == "ready\n"
    assert stored(system, 1)
    identifier = submit(system, 1).json()["id"]
    waits(lambda: state(system, identifier) == "done")


def test_a_redis_that_hangs_delays_jobs_and_neither_ingest_nor_answers(system: ServerSystem) -> None:
    serve, worker, beat = system.processes
    system.redis.send(signal.SIGSTOP)
    try:
        assert stored(system, 2)
        status, seconds = timed(lambda: submit(system, 2))
        assert status == 202
        assert seconds < PROMISED_S + SLACK_S
        assert serve.readiness() == (200, [])
        waits(lambda: worker.readiness() == (503, ["broker_unreachable"]))
        waits(lambda: beat.readiness() == (503, ["broker_unreachable"]))
        # Away is not dead: nobody must be started again for it.
        verb("health", "--alive", "--url", worker.urls["health"])
        identifier = submit(system, 2).json()["id"]
        assert state(system, identifier) == "queued"
    finally:
        system.redis.send(signal.SIGCONT)
    waits(lambda: worker.readiness() == (200, []))
    waits(lambda: state(system, identifier) == "done")


def test_a_redis_that_was_killed_and_lost_everything_is_worked_with_again(system: ServerSystem) -> None:
    _, worker, beat = system.processes
    system.redis.kill()
    identifier = submit(system, 3).json()["id"]
    assert stored(system, 3)
    system.redis.start()
    waits(lambda: worker.readiness() == (200, []) == beat.readiness())
    waits(lambda: state(system, identifier) == "done")


def test_a_clickhouse_that_hangs_is_told_of_in_three_seconds_and_worked_with_again(system: ServerSystem) -> None:
    serve, worker, _ = system.processes
    system.clickhouse.send(signal.SIGSTOP)
    try:
        asked = (
            lambda: send(system, 4),
            lambda: httpx.get(f"{system.api}/api/v1/incidents", timeout=60),
            lambda: httpx.get(f"{system.api}/prometheus/api/v1/query?query=up", timeout=60),
            lambda: submit(system, 4),
        )
        for ask in asked:
            status, seconds = timed(ask)
            assert status == 503
            assert seconds < PROMISED_S + SLACK_S
        # By now everybody knows, and nobody waits at all.
        for ask in asked:
            status, seconds = timed(ask)
            assert status == 503
            assert seconds < SLACK_S
        assert serve.readiness() == (503, ["store_unreachable"])
        assert worker.readiness() == (503, ["store_unreachable"])
        assert httpx.get(f"{system.api}/healthz", timeout=60).status_code == 200
        with pytest.raises(RuntimeError):
            verb("health", "--url", system.api)
    finally:
        system.clickhouse.send(signal.SIGCONT)
    waits(lambda: serve.readiness() == (200, []) == worker.readiness())
    assert stored(system, 5)
    identifier = submit(system, 5).json()["id"]
    waits(lambda: state(system, identifier) == "done")


def test_a_stop_is_told_first_and_what_was_taken_is_stored(system: ServerSystem, tmp_path: Path) -> None:
    with Process("serve", {**system.environment, "CAUSELINE_DRAIN_NOTICE_S": "2"}, tmp_path / "log") as second:
        otlp, api = second.urls["otlp_http"], second.urls["api"]
        body = serialized(busy_request(random.Random(6), 7))
        waits(lambda: httpx.post(f"{otlp}/v1/traces", content=body, headers=PROTOBUF, timeout=60).status_code == 200)
        began = time.monotonic()
        second.process.send_signal(signal.SIGTERM)
        codes: list[list[str]] = []
        answers: list[httpx.Response] = []
        with httpx.Client(timeout=60) as client:
            while second.process.poll() is None and time.monotonic() - began < 60:
                try:
                    ready = client.get(f"{api}/readyz")
                    codes.append([reason["code"] for reason in ready.json()["reasons"]])
                    number = 100 + len(answers)
                    fresh = serialized(busy_request(random.Random(number), 7))
                    answers.append(client.post(f"{otlp}/v1/traces", content=fresh, headers=PROTOBUF))
                except httpx.TransportError:
                    break
        assert second.process.wait(60) == 0
        assert time.monotonic() - began < 20
    # It says that it leaves; what it takes until the end is stored, and what it does not take is refused.
    assert ["draining"] in codes
    assert {answer.status_code for answer in answers} <= {200, 503}
    assert all("retry-after" in answer.headers for answer in answers if answer.status_code == 503)


def test_workers_and_clocks_end_when_told(system: ServerSystem, tmp_path: Path) -> None:
    for part in ("worker", "beat"):
        with Process(part, system.environment, tmp_path / part) as process:
            began = time.monotonic()
            assert process.terminate() == 0
            assert time.monotonic() - began < 15


def test_parts_that_could_not_meet_do_not_start(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="CAUSELINE_STORE__URL"):
        verb("worker", environment={"CAUSELINE_DATA": str(tmp_path)})
    with pytest.raises(RuntimeError, match="CAUSELINE_BROKER_URL"):
        verb("beat", environment={"CAUSELINE_STORE__URL": "http://127.0.0.1:1"})
