"""What an attack may cost: memory (A01, A04, A05), and the time of those who send nothing wrong."""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest

from tests.attacks import wire
from tests.attacks.wire import message, tag, varint
from tests.faults.homes import Receiver
from tests.faults.load import Target
from tests.kit.otlp import busy_request, serialized, span

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]
MIB = 2**20
LIMIT, MEMORY = 16 * MIB, 256 * MIB
PROTOBUF = {"Content-Type": "application/x-protobuf"}
METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
MEMBER = gzip.compress(bytes(8 * MIB), 9)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    directory: Path = tmp_path_factory.mktemp("resources")
    limits = {"MAX_BODY_BYTES": LIMIT, "MAX_BATCH_MEMORY_BYTES": MEMORY, "MAX_INFLIGHT_BYTES": 4 * LIMIT}
    settings = {f"CAUSELINE_INGEST__{name}": str(value) for name, value in limits.items()}
    receiver = Receiver(directory / "data", directory / "log", Target(), settings)
    receiver.start()
    receiver.wait()
    for number in range(20):
        post(receiver, serialized(busy_request(random.Random(number), 100)))
    yield receiver
    receiver.kill()


def post(receiver: Receiver, body: bytes, **headers: str) -> int:
    url = f"{receiver.target.url}/v1/traces"
    return httpx.post(url, content=body, headers={**PROTOBUF, **headers}, timeout=60).status_code


def rise(receiver: Receiver, attack: Callable[[], None]) -> float:
    """How many bytes more than before the receiver had at most while attacked."""
    before = most = receiver.rss
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.01):
            most = max(most, receiver.rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        attack()
    finally:
        done.set()
        watching.join()
    return most - before


def at_once(attack: Callable[[int], int], times: int = 6) -> set[int]:
    """The answers to as many attacks at the same time."""
    with ThreadPoolExecutor(times) as pool:
        return set(pool.map(attack, range(times)))


def test_bombs_cost_their_limit_and_delay_nobody(running: Receiver) -> None:
    """A01: a gigabyte in a megabyte, six times at once, while others send what is right."""
    bomb, answers, waits = MEMBER * 128, set[int](), list[float]()
    stop = threading.Event()

    def others() -> None:
        number = 1000
        while not stop.is_set():
            started = time.monotonic()
            assert post(running, serialized(busy_request(random.Random(number), 10))) in {200, 503}
            waits.append(time.monotonic() - started)
            number += 1

    innocent = threading.Thread(target=others)

    def attack() -> None:
        answers.update(at_once(lambda _: post(running, bomb, **{"Content-Encoding": "gzip"})))

    innocent.start()
    try:
        risen = rise(running, attack)
    finally:
        stop.set()
        innocent.join()
    assert answers <= {413, 503}
    assert 413 in answers
    # The budget of bodies in flight bounds all of them together.
    assert risen < 2 * 4 * LIMIT
    assert max(waits) < 4


def test_a_bomb_over_grpc_costs_its_limit(running: Receiver) -> None:
    """A01."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(running.target.grpc, options) as channel:

        def attack() -> None:
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary(METHOD)(bytes(256 * MIB), timeout=60, compression=grpc.Compression.Gzip)
            assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

        assert rise(running, attack) < 4 * LIMIT


AMPLIFIED = {
    "resources without content": b"\x0a\x00" * (LIMIT // 3),
    "scopes without content": message(1, b"\x12\x00" * (LIMIT // 3)),
    "spans without content": message(1, message(2, b"\x12\x00" * (LIMIT // 3))),
    "attributes without content": wire.spans(serialized(span(random.Random(1))) + b"\x4a\x00" * (LIMIT // 3)),
    "events without content": wire.spans(serialized(span(random.Random(1))) + b"\x5a\x00" * (LIMIT // 3)),
    "a text that says it is 2 GB": wire.spans(serialized(span(random.Random(1))) + tag(5, wire.LENGTH) + varint(2**31)),
    "a text that says it is 900 MB": wire.spans(tag(5, wire.LENGTH) + varint(900 * MIB)),
}


@pytest.mark.parametrize("body", AMPLIFIED.values(), ids=AMPLIFIED)
def test_small_bytes_that_decode_to_much(running: Receiver, body: bytes) -> None:
    """A04, A05: refused, or stored within the memory a batch may have."""
    answers: set[int] = set()
    # Each differs, so that none waits for another's answer.
    risen = rise(running, lambda: answers.update(at_once(lambda n: post(running, body + message(900 + n, b"x")), 3)))
    # 503: with two writers busy a third waits too long.
    assert answers <= {200, 400, 413, 503}
    # Two writers, and what bodies and the allocator keep beside them.
    assert risen < 3 * MEMORY
    deadline = time.monotonic() + 60
    while post(running, serialized(busy_request(random.Random(), 10))) != 200:
        assert time.monotonic() < deadline, "the receiver does not recover"
