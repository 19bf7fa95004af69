"""Patience with HTTP connections: how many, how long, and how large a head.

uvicorn waits for ever for a head or a body that never comes, takes heads of any size, and any number of
connections; what is wrong on a level below requests it answers in plain text. Here each connection knows what it
is waited for and until when, and one look a second over all of them closes those that are late.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

# Renders what is said to a client whose request cannot be looked at: the media type, and the body.
Render = Callable[[int, str], tuple[str, bytes]]

_LOOK_S = 1.0
_LARGEST_HEAD = 64 * 1024


# Java's client asks for HTTP/2 with every request it is not told to send otherwise.
_UPGRADE = re.compile(rb"\r\nupgrade:", re.IGNORECASE)


def _without_upgrade(data: bytes) -> bytes:
    """The bytes with the offer of another protocol renamed, which a server may ignore
    (https://www.rfc-editor.org/rfc/rfc9110#section-7.8).
    """
    end = data.find(b"\r\n\r\n")
    head = data if end < 0 else data[:end]
    return _UPGRADE.sub(b"\r\nIgnored:", head) + data[len(head) :]


def plain_text(_: int, text: str) -> tuple[str, bytes]:
    """The text as it is."""
    return "text/plain; charset=utf-8", text.encode()


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that a connection may take over a request's head, its body, and the time until the next."""

    head_s: float = 5.0
    body_s: float = 9.0
    idle_s: float = 9.0


@dataclass(slots=True)
class Gate:
    """The connections of one listener. Belongs to its event loop."""

    connections: int = 1000
    per_address: int = 1000
    patience: Patience = Patience()
    render: Render = plain_text
    turned_away: int = 0
    _open: dict[GuardedProtocol, str] = field(default_factory=dict)
    _addresses: Counter[str] = field(default_factory=Counter)
    _timer: asyncio.TimerHandle | None = None

    def protocol(self, *arguments: Any, **options: Any) -> GuardedProtocol:
        """A connection about to be made, as uvicorn asks for one."""
        protocol = GuardedProtocol(*arguments, **options)
        protocol.gate = self
        return protocol

    def enter(self, protocol: GuardedProtocol) -> bool:
        """Whether there is room for one more from its address."""
        address = protocol.client[0] if protocol.client else ""
        if len(self._open) >= self.connections or self._addresses[address] >= self.per_address:
            self.turned_away += 1
            return False
        self._open[protocol] = address
        self._addresses[address] += 1
        if self._timer is None:
            self._timer = protocol.loop.call_later(_LOOK_S, self._look, protocol.loop)
        return True

    def leave(self, protocol: GuardedProtocol) -> None:
        """The connection is closed."""
        address = self._open.pop(protocol, None)
        if address is not None:
            self._addresses[address] -= 1
            if not self._addresses[address]:
                del self._addresses[address]

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for protocol in [protocol for protocol in self._open if protocol.deadline < now]:
            protocol.expire()
        self._timer = loop.call_later(_LOOK_S, self._look, loop) if self._open else None


class _Awaited(Enum):
    HEAD = auto()
    BODY = auto()
    ANSWER = auto()
    NEXT = auto()


class GuardedProtocol(HttpToolsProtocol):
    """uvicorn's connection with deadlines; `gate` is set as soon as it is made."""

    gate: Gate

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.deadline = math.inf
        self._awaited = _Awaited.HEAD
        self._head = 0
        self._expired = False
        self._complaint = (400, "the request is not HTTP/1.1")

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has connected, and over TLS been accepted."""
        super().connection_made(transport)
        if self.gate.enter(self):
            self._await(_Awaited.HEAD, self.gate.patience.head_s)
        else:
            self._refuse(503, "too many connections; try again soon")

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is awaited."""
        self.gate.leave(self)
        # uvicorn forgets its timer when a connection is reset.
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def _await(self, what: _Awaited, seconds: float) -> None:
        self._awaited = what
        self.deadline = self.loop.time() + seconds

    def expire(self) -> None:
        """Close: what was awaited has not come. The second time nothing more is written."""
        if self._expired:
            self.transport.abort()
        else:
            self._expired = True
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Bytes have come."""
        if self.transport.is_closing():
            return
        if b"pgrade:" in data and self._awaited in (_Awaited.HEAD, _Awaited.NEXT):
            data = _without_upgrade(data)
        super().data_received(data)
        if self._awaited is _Awaited.HEAD:
            # A field that has no end yet is not known to the parser's callbacks.
            self._head += len(data)
            if self._head > _LARGEST_HEAD and not self.transport.is_closing():
                self._refuse(431, "the head of the request is too large")

    def on_message_begin(self) -> None:
        """The first byte of a request."""
        super().on_message_begin()
        self._head = 0
        self._await(_Awaited.HEAD, self.gate.patience.head_s)

    # The next two do what uvicorn's do, and count: called for every field, they do not call one another.

    def on_url(self, url: bytes) -> None:
        """The target, or a piece of it."""
        self.url += url
        self._head += len(url)
        if self._head > _LARGEST_HEAD:
            self._too_large()

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of the head, or of the trailers behind a chunked body."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        self._head += len(name) + len(value) + 4
        if self._head > _LARGEST_HEAD:
            self._too_large()

    def _too_large(self) -> None:
        self._complaint = (431, "the head of the request is too large")
        raise ValueError(self._complaint[1])  # stops the parser, which asks for `send_400_response`

    def on_headers_complete(self) -> None:
        """The head is complete."""
        if self.parser.should_upgrade():
            # The parser would pass over the body, and the request would be taken for an empty one.
            self._complaint = (400, "another protocol is asked for than HTTP/1.1")
            raise ValueError(self._complaint[1])
        self._await(_Awaited.BODY, self.gate.patience.body_s)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is complete."""
        super().on_message_complete()
        if self.cycle.response_complete:
            self._await(_Awaited.NEXT, self.gate.patience.idle_s)
        else:
            self._awaited, self.deadline = _Awaited.ANSWER, math.inf

    def on_response_complete(self) -> None:
        """The answer is written; a body that it did not wait for may still be coming."""
        others = bool(self.pipeline)
        super().on_response_complete()
        if self._awaited is _Awaited.ANSWER and not others:
            self._await(_Awaited.NEXT, self.gate.patience.idle_s)

    def send_400_response(self, msg: str) -> None:
        """What cannot be parsed is answered in the application's own form."""
        self._refuse(*self._complaint)

    def _refuse(self, status: int, text: str) -> None:
        media_type, body = self.gate.render(status, text)
        head = f"content-type: {media_type}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n"
        if status == 503:
            head += "retry-after: 1\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + b"\r\n" + body)
        self.transport.close()
