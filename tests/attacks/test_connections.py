"""What is done to connections: slowness and numbers (A08), and HTTP that two parsers could read in two ways (A09)."""

from __future__ import annotations

import errno
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.kit.otlp import busy_request, serialized
from tests.kit.running import Up

BODY = serialized(busy_request(random.Random(1), 2))
POST = "POST /v1/traces HTTP/1.1"
PROTOBUF = "Content-Type: application/x-protobuf"
# Ten seconds, and what a busy machine adds.
PATIENCE_S = 14.0


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("attacked")) as running:
        yield running


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


@contextmanager
def connected(system: Up, over: str = "http", source: str = "127.0.0.1") -> Iterator[socket.socket]:
    where = address(system.otlp if over == "http" else system.grpc)
    with socket.create_connection(where, timeout=PATIENCE_S, source_address=(source, 0)) as opened:
        yield opened


def works(system: Up) -> bool:
    seed = random.Random()
    return system.post("traces", serialized(busy_request(seed, 2))).status_code == 200


def head(*fields: str, start: str = POST) -> bytes:
    return "\r\n".join((start, "Host: x", *fields, "", "")).encode()


def closed_after(opened: socket.socket) -> float:
    """Seconds until the other side hangs up, whatever it says before."""
    started = time.monotonic()
    try:
        while opened.recv(65536):
            pass
    except ConnectionResetError:
        pass
    return time.monotonic() - started


@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"POST /v1/tra",
        head(PROTOBUF)[:-2],
        head(PROTOBUF, "Content-Length: 5000") + b"x" * 10,
        head(PROTOBUF, "Transfer-Encoding: chunked") + b"ff\r\nx",
    ],
    ids=["nothing", "half a line", "headers without end", "half a body", "half a chunk"],
)
@pytest.mark.slow
def test_who_dawdles_is_hung_up_on(system: Up, beginning: bytes) -> None:
    """A08."""
    with connected(system) as slow:
        slow.sendall(beginning)
        assert closed_after(slow) < PATIENCE_S
    assert works(system)


@pytest.mark.slow
def test_headers_that_drip_do_not_keep_a_connection(system: Up) -> None:
    """A08: it is the whole head that has to come in time, not each byte."""
    with connected(system) as slow:
        slow.settimeout(0.5)
        started = time.monotonic()
        try:
            while time.monotonic() < started + PATIENCE_S:
                slow.sendall(b"P" if time.monotonic() - started < 0.5 else b"x")
                try:
                    if not slow.recv(65536):
                        break
                except TimeoutError:
                    continue
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert time.monotonic() - started < PATIENCE_S
    assert works(system)


@pytest.mark.slow
@pytest.mark.parametrize("over", ["http", "grpc"])
def test_idle_connections_cost_others_nothing(system: Up, over: str) -> None:
    """A08: from another address, as many as it likes: more than it may hold, and fewer than the port may."""
    with ExitStack() as idle:
        for _ in range(900):
            try:
                idle.enter_context(connected(system, over, "127.0.0.2"))
            except OSError:
                break
        assert works(system)
    assert works(system)


def test_streams_that_are_reset_at_once(system: Up) -> None:
    """A08 (CVE-2023-44487): calls cancelled as soon as they are made."""
    import grpc

    method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    with grpc.insecure_channel(system.grpc) as channel:
        call = channel.unary_unary(method)
        for _ in range(3_000):
            call.future(BODY, timeout=10).cancel()
        # While the server clears away, it may refuse a stream; exporters ask again.
        for _ in range(10):
            answer = call.future(serialized(busy_request(random.Random(), 2)), timeout=10)
            if answer.exception() is None or answer.code() is not grpc.StatusCode.UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.result()
    assert works(system)


SMUGGLED = {
    "two lengths": head(PROTOBUF, "Content-Length: 4", "Content-Length: 40") + b"xxxx",
    "a length and chunks": head(PROTOBUF, "Content-Length: 4", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "a length that is none": head(PROTOBUF, "Content-Length: +4") + b"xxxx",
    "a negative length": head(PROTOBUF, "Content-Length: -1"),
    "two encodings": head(PROTOBUF, "Transfer-Encoding: identity, chunked, x") + b"0\r\n\r\n",
    "a chunk size that is none": head(PROTOBUF, "Transfer-Encoding: chunked") + b"zz\r\nxx\r\n0\r\n\r\n",
    "a space before a colon": head(PROTOBUF, "Content-Length : 4") + b"xxxx",
    "a line that goes on": head(PROTOBUF, "X-A: b\r\n Content-Length: 4") + b"xxxx",
    "no version": b"POST /v1/traces\r\nHost: x\r\n\r\n",
    "a version that is none": head(PROTOBUF, start="POST /v1/traces HTTP/9.9"),
    "a NUL in a header": head(PROTOBUF, "X-A: b\0c", "Content-Length: 0"),
    "200 KB of header": head(PROTOBUF, f"X-A: {'a' * 200_000}", "Content-Length: 0"),
    "10,000 headers": head(PROTOBUF, *(f"X-{n}: a" for n in range(10_000)), "Content-Length: 0"),
    "binary": bytes(range(256)),
    "TLS": bytes.fromhex("16030100c8010000c40303"),
}


@pytest.mark.parametrize("request_", SMUGGLED.values(), ids=SMUGGLED)
def test_http_that_can_be_read_in_two_ways(system: Up, request_: bytes) -> None:
    """A09: refused, and nothing that follows on the connection is taken for another request."""
    before = system.counts()
    follower = head(PROTOBUF, f"Content-Length: {len(BODY)}") + BODY
    answer = b""
    with connected(system) as opened:
        try:
            opened.sendall(request_ + follower)
            opened.shutdown(socket.SHUT_WR)
            while received := opened.recv(65536):
                answer += received
        except OSError as error:
            # The server may be gone before all was sent.
            gone = error.errno in (errno.ECONNRESET, errno.EPIPE, errno.ENOTCONN)
            if not gone:
                raise
    assert answer[:12] in {b"", b"HTTP/1.1 400", b"HTTP/1.1 415", b"HTTP/1.1 431"}, answer[:200]
    assert answer.count(b"HTTP/1.1 ") <= 1, answer
    assert system.counts() == before
    assert works(system)
