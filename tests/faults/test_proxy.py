"""The proxy does to a connection what it is told, and nothing else: the fault tests stand on it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that says everything back."""
    with socket.create_server(("127.0.0.1", 0)) as listening, Proxy(listening.getsockname()[1]) as running:
        threading.Thread(target=_serve, args=(listening,), daemon=True).start()
        yield running


def _serve(listening: socket.socket) -> None:
    while True:
        try:
            talking, _ = listening.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(talking,), daemon=True).start()


def _echo(talking: socket.socket) -> None:
    with talking:
        try:
            while piece := talking.recv(65536):
                talking.sendall(piece)
        except OSError:
            return


def dial(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said_back(client: socket.socket, text: bytes) -> float:
    """Seconds until everything came back."""
    started = time.monotonic()
    client.sendall(text)
    heard = b""
    while len(heard) < len(text):
        piece = client.recv(65536)
        assert piece, "the connection ended"
        heard += piece
    assert heard == text
    return time.monotonic() - started


def ended(client: socket.socket) -> type[BaseException] | None:
    """How the connection ended: with a reset, or without."""
    try:
        while client.recv(65536):
            pass
    except OSError as error:
        return type(error)
    return None


def test_it_forwards_and_passes_on_the_end(proxy: Proxy) -> None:
    with dial(proxy) as client:
        assert said_back(client, bytes(range(256)) * 4096) < 5
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert proxy.accepted == 1
    assert proxy.cuts == 0


def test_delay(proxy: Proxy) -> None:
    with dial(proxy) as client:
        proxy.delay_s = 0.2
        assert said_back(client, b"hello") >= 0.4
        proxy.heal()
        assert said_back(client, b"hello") < 0.4


def test_bandwidth(proxy: Proxy) -> None:
    proxy.bytes_per_s = 100_000
    with dial(proxy) as client:
        assert said_back(client, bytes(20_000)) >= 0.35


def test_frozen_nothing_arrives_and_nobody_is_told(proxy: Proxy) -> None:
    with dial(proxy) as client:
        proxy.freeze()
        client.sendall(b"hello")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(5)
        proxy.thaw()
        client.settimeout(5)
        assert client.recv(5) == b"hello"


def test_a_cut_in_the_middle(proxy: Proxy) -> None:
    proxy.cut_after = 1000
    with dial(proxy) as client:
        client.sendall(bytes(999))
        assert len(client.recv(65536)) == 999
        client.sendall(bytes(500))
        ended(client)
    assert proxy.cuts == 1
    assert proxy.connections == 0


def test_reset_and_cut_end_what_is_open(proxy: Proxy) -> None:
    for end, how in ((proxy.reset, ConnectionResetError), (proxy.cut, None)):
        with dial(proxy) as client:
            said_back(client, b"hello")
            end()
            assert ended(client) is how
    with dial(proxy) as client:
        assert said_back(client, b"again") < 5


def test_refused_until_it_listens_again(proxy: Proxy) -> None:
    with dial(proxy) as client:
        said_back(client, b"hello")
        proxy.refuse()
        assert ended(client) is ConnectionResetError
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)
    proxy.accept()
    with dial(proxy) as client:
        said_back(client, b"hello")
