"""HTTP below the level of requests: what is ambiguous, too large, too slow or too many stays outside."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from google.rpc.status_pb2 import Status

from api.process.connections import Gate, Patience
from api.process.listener import Listener, bind
from ingest.answers import refusal

HEAD = b"POST /a HTTP/1.1\r\nHost: x\r\n"
SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
QUICK = Patience(head_s=0.5, body_s=0.5, idle_s=0.5)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with the path and the size of the body; 413 at once for /large."""
    size, more = 0, scope["path"] != "/large"
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    text = f"{scope['path']} {size}".encode()
    status = 413 if scope["path"] == "/large" else 200
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"%d" % len(text))]})
    await send({"type": "http.response.body", "body": text})


def listening(gate: Gate) -> Iterator[tuple[str, int]]:
    listener = Listener(bind("127.0.0.1", 0, "tests", ""), "test", lambda: echo, gate)
    listener.start()
    yield "127.0.0.1", int(listener.url.rpartition(":")[2])
    listener.stop()


@pytest.fixture
def patient() -> Iterator[tuple[str, int]]:
    yield from listening(Gate(render=refusal))


@pytest.fixture
def quick() -> Iterator[tuple[str, int]]:
    yield from listening(Gate(patience=QUICK))


@pytest.fixture
def narrow() -> Iterator[tuple[str, int]]:
    yield from listening(Gate(connections=4, per_address=3, render=refusal))


def said(address: tuple[str, int], *pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything answered to these bytes until the server closes."""
    out = b""
    with socket.create_connection(address, timeout=8) as client:
        for piece in pieces:
            client.sendall(piece)
            time.sleep(pause)
        try:
            while data := client.recv(65536):
                out += data
        except ConnectionResetError:
            pass
    return out


def heard(client: socket.socket) -> bytes:
    """One answer, however many pieces it comes in."""
    out = b""
    while not (length := re.search(rb"content-length: (\d+)\r\n", out)) or len(out.partition(b"\r\n\r\n")[2]) < int(
        length[1]
    ):
        data = client.recv(4096)
        assert data, f"closed after {out!r}"
        out += data
    return out


def closing(data: bytes) -> bytes:
    return data.replace(b"Host: x\r\n", b"Host: x\r\nConnection: close\r\n", 1)


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
        b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + SMUGGLED,
        b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde",
        b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
        b"Content-Length: 3, 3\r\n\r\nabc",
        b"Content-Length: +3\r\n\r\nabc",
        b"Content-Length: -3\r\n\r\nabc",
        b"Content-Length: 99999999999999999999999\r\n\r\nabc",
        b"Content-Length : 3\r\n\r\nabc",
        b"X: y\nContent-Length: 3\r\n\r\nabc",
        b"X: y\rContent-Length: 3\r\n\r\nabc",
        b"X: a\r\n b\r\nContent-Length: 3\r\n\r\nabc",
        b"X: a\0b\r\nContent-Length: 3\r\n\r\nabc",
        b"Transfer-Encoding: chunked, identity\r\n\r\n" + SMUGGLED,
        b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
        b"Transfer-Encoding: chunked\r\n\r\n3\nabc\n0\n\n",
        b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\nabc",
        b"Connection: upgrade\r\nUPGRADE: h2c\r\nContent-Length: 3\r\n\r\nabc",
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_and_closed(patient: tuple[str, int], rest: bytes) -> None:
    answer = said(patient, HEAD + rest)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"smuggled" not in answer
    # On the receiver's port this, too, is a Status.
    assert b"content-type: application/x-protobuf" in head
    assert Status.FromString(body).code == 3


@pytest.mark.parametrize(
    "data", [b"POST /a HTTP/1.1\nHost: x\n\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"\x16\x03\x01"]
)
def test_what_is_not_http_1_is_refused(patient: tuple[str, int], data: bytes) -> None:
    assert said(patient, data).startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"X: " + b"a" * 200_000 + b"\r\n\r\n"],
        [HEAD + b"X: ", *[b"a" * 10_000] * 7],
        [HEAD + b"".join(b"X%d: aaaaaaaaaaaaaaaaaaaaa\r\n" % n for n in range(8000)) + b"\r\n"],
        [b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"a" * 200_000 + b"\r\n\r\n"],
    ],
)
def test_a_head_of_200_kb_is_refused(patient: tuple[str, int], pieces: list[bytes]) -> None:
    assert b"HTTP/1.1 431 " in said(patient, *pieces, pause=0.01)


def test_a_head_of_ordinary_size_is_not(patient: tuple[str, int]) -> None:
    request = HEAD + b"X: " + b"a" * 20_000 + b"\r\nContent-Length: 0\r\n\r\n"
    with socket.create_connection(patient, timeout=8) as client:
        for _ in range(10):
            client.sendall(request)
            assert heard(client).endswith(b"/a 0")


def test_an_offer_of_another_protocol_is_ignored_and_the_body_is_not(patient: tuple[str, int]) -> None:
    offer = b"Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    assert said(patient, HEAD + offer + b"Content-Length: 12\r\n\r\nabc\r\nUpgrade").endswith(b"/a 12")


def test_a_body_that_nobody_waits_for_does_not_cost_the_client_the_answer(patient: tuple[str, int]) -> None:
    with socket.create_connection(patient, timeout=8) as client:
        client.sendall(b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 50000000\r\n\r\n")
        for _ in range(50):
            client.sendall(bytes(1_000_000))
        assert heard(client).startswith(b"HTTP/1.1 413 ")
        client.sendall(closing(HEAD) + b"Content-Length: 3\r\n\r\nabc")
        assert heard(client).endswith(b"/a 3")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"POST /a", b"a"),
        (HEAD, b"X"),
        (HEAD + b"Content-Length: 1000\r\n\r\n", b"a"),
        (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"POST /large HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", b"a"),
        (HEAD + b"Content-Length: 3\r\n\r\nabc", b""),
    ],
    ids=["silent", "request line", "head", "body", "chunks", "body after the answer", "idle"],
)
def test_who_is_slow_is_cut_off(quick: tuple[str, int], first: bytes, then: bytes) -> None:
    started = time.monotonic()
    with socket.create_connection(quick, timeout=8) as client:
        client.sendall(first)
        client.settimeout(0.05)
        while time.monotonic() - started < 8:
            try:
                if then:
                    client.sendall(then)
                if not client.recv(4096):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
    assert 0.4 < time.monotonic() - started < 3


def test_who_is_in_time_is_not(quick: tuple[str, int]) -> None:
    with socket.create_connection(quick, timeout=8) as client:
        for _ in range(6):
            client.sendall(HEAD)
            time.sleep(0.2)
            client.sendall(b"Content-Length: 3\r\n\r\n")
            time.sleep(0.2)
            client.sendall(b"abc")
            assert heard(client).endswith(b"/a 3")
            time.sleep(0.2)


def test_no_more_connections_than_there_is_room_for(narrow: tuple[str, int]) -> None:
    def connected(source: str) -> socket.socket:
        client = stack.enter_context(socket.create_connection(narrow, timeout=8, source_address=(source, 0)))
        time.sleep(0.1)
        return client

    with ExitStack() as stack:
        held = [connected("127.0.0.1") for _ in range(3)]
        # The fourth from one address, and then the fifth from any.
        answer = heard(connected("127.0.0.1"))
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in answer
        assert Status.FromString(answer.partition(b"\r\n\r\n")[2]).code == 14
        held.append(connected("127.0.0.2"))
        assert heard(connected("127.0.0.3")).startswith(b"HTTP/1.1 503 ")
        for client in held:
            client.sendall(HEAD + b"Content-Length: 3\r\n\r\nabc")
            assert heard(client).endswith(b"/a 3")
    time.sleep(0.2)
    assert said(narrow, closing(HEAD) + b"Content-Length: 0\r\n\r\n").endswith(b"/a 0")


def test_what_is_in_flight_is_answered_before_it_stops() -> None:
    for address in listening(Gate()):
        client = socket.create_connection(address, timeout=8)
        client.sendall(HEAD + b"Content-Length: 3\r\n\r\n")
        time.sleep(0.2)
        client.sendall(b"abc")
    assert heard(client).endswith(b"/a 3")
    client.close()
