"""What is wrong is refused in OTLP's own form, and costs nobody else anything."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from google.rpc.status_pb2 import Status

from tests.kit.otlp import busy_request, serialized
from tests.kit.running import Up


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("bad_input")) as running:
        yield running


def reason(response: httpx.Response) -> Status:
    assert response.headers["content-type"] == "application/x-protobuf"
    return Status.FromString(response.content)


def test_bad_bodies_are_refused_and_their_neighbours_stored(system: Up) -> None:
    seed = random.Random(7)
    good = [serialized(busy_request(seed, 20)) for _ in range(24)]
    bad = [serialized(busy_request(seed, 20))[:-7] for _ in range(6)] + [seed.randbytes(3000) for _ in range(6)]
    bodies = [(body, 200) for body in good] + [(body, 400) for body in bad]
    seed.shuffle(bodies)
    before = system.counts()["spans"]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda item: system.post("traces", item[0]), bodies))
    assert [answer.status_code for answer in answers] == [status for _, status in bodies]
    assert system.counts()["spans"] - before == 20 * len(good)
    for answer, (_, status) in zip(answers, bodies, strict=True):
        if status == 400:
            assert reason(answer).code == 3
            assert reason(answer).message


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/v1/profiles", {"Content-Type": "application/x-protobuf"}, 404),
        ("POST", "/", {"Content-Type": "application/x-protobuf"}, 404),
        ("GET", "/v1/traces", {}, 405),
        ("PUT", "/v1/logs", {"Content-Type": "application/x-protobuf"}, 405),
        ("POST", "/v1/metrics", {"Content-Type": "text/plain"}, 415),
        ("POST", "/v1/metrics", {}, 415),
        ("POST", "/v1/metrics", {"Content-Type": "application/x-protobuf", "Content-Encoding": "br"}, 415),
        ("POST", "/v1/metrics", {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}, 400),
    ],
)
def test_wrong_requests_get_their_status_and_a_reason(
    system: Up, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.request(method, f"{system.otlp}{path}", headers=headers, content=b"x" if method != "GET" else b"")
    assert answer.status_code == status
    assert reason(answer).message


def test_a_bomb_is_refused_before_it_unfolds(system: Up) -> None:
    bomb = gzip.compress(bytes(80 * 1024 * 1024))
    assert len(bomb) < 100_000
    assert system.post("logs", bomb, Content_Encoding="gzip").status_code == 413


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("start=yesterday", "start"),
        ("end=2026-13-01T00:00:00Z", "end"),
        ("start=2026-03-02T09:00:00Z&end=2026-03-02T08:00:00Z", "start"),
        ("limit=0", "limit"),
        ("cursor=nonsense", "cursor"),
        ("state=broken", "state"),
    ],
)
def test_a_bad_question_names_the_parameter(system: Up, query: str, parameter: str) -> None:
    answer = httpx.get(f"{system.api}/api/v1/incidents?{query}", timeout=10)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["parameter"] == parameter
    assert problem["detail"]


def test_a_bad_range_for_a_correlation_names_the_parameter(system: Up) -> None:
    body = {"start": "2026-03-02T09:00:00Z", "end": "2026-03-02T08:00:00Z"}
    answer = httpx.post(f"{system.api}/api/v1/correlations", json=body, timeout=10)
    assert answer.status_code == 400
    assert answer.json()["parameter"] in {"start", "end"}
