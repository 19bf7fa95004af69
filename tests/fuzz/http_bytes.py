"""Fuzz what comes over a connection: any bytes get one answer that HTTP knows, or a hang-up."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import atheris
import uvicorn

with atheris.instrument_imports(include=["api.process.connections", "uvicorn.protocols.http.httptools_impl"]):
    from api.process.connections import Gate
from uvicorn.server import ServerState

from tests.fuzz.harness import fuzz

_STATUSES = {b"HTTP/1.1 100", b"HTTP/1.1 200", b"HTTP/1.1 400", b"HTTP/1.1 431"}


class Wire(asyncio.Transport):
    """What the protocol writes, and whether it hung up."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 4318), "peername": ("127.0.0.1", 9)})
        self.written = b""
        self._closing = False

    def write(self, data: Any) -> None:
        """Keep it."""
        self.written += bytes(data)

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def close(self) -> None:
        """Hang up."""
        self._closing = True

    def abort(self) -> None:
        """Hang up at once."""
        self._closing = True

    def pause_reading(self) -> None:
        """Nothing to pause."""

    def resume_reading(self) -> None:
        """Nothing to resume."""


async def _app(_: Any, receive: Any, send: Any) -> None:
    """Reads the body, as the receiver does, and answers."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        if not message.get("more_body"):
            break
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


# One warning for each malformed request would be a million lines.
logging.getLogger("uvicorn.error").disabled = True
_loop = asyncio.new_event_loop()
_config = uvicorn.Config(_app, log_config=None, access_log=False, lifespan="off", ws="none")
_config.load()


async def _connection(data: bytes) -> bytes:
    wire, state, gate = Wire(), ServerState(), Gate()
    protocol = gate.protocol(config=_config, server_state=state, app_state={})
    protocol.connection_made(wire)
    for at in range(0, len(data), 700):
        if wire.is_closing():
            break
        protocol.data_received(data[at : at + 700])
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    protocol.connection_lost(None)
    while state.tasks:
        await asyncio.gather(*state.tasks)
    if gate._timer is not None:
        gate._timer.cancel()
    assert not state.connections
    assert not gate._open
    return wire.written


def check(data: bytes) -> None:
    """What is answered begins as an answer does."""
    written = _loop.run_until_complete(_connection(data))
    assert not written or written[:12] in _STATUSES, written[:80]


def seeds() -> list[bytes]:
    """Requests of every shape that the receiver knows, one after the other, too."""
    post = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
    shapes = [
        post + b"Content-Length: 4\r\n\r\nabcd",
        post + b"Transfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n",
        post + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd",
        post + b"Content-Encoding: gzip\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        b"GET /healthz?a=%20b HTTP/1.0\r\n\r\n",
        post + b"Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        post + b"X: " + b"y" * 3000 + b"\r\n\r\n",
    ]
    return [*shapes, shapes[0] * 3, shapes[1] + shapes[0]]


if __name__ == "__main__":
    fuzz("http_bytes", check, seeds())
