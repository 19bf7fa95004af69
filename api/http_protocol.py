"""HTTP connections that cannot be kept by dawdling: bounds on a request's head, and on how many connections there are.

uvicorn bounds neither (https://www.uvicorn.org/settings/#timeouts: only the time between requests). Bodies are bounded
by the applications, which know how large they may be.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_HEAD_S = 8.0
_BIGGEST_HEAD = 64 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """A connection that is closed when a request's head takes more than 8 s or 64 KiB, or when there are too many."""

    max_connections = 1000

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._head_size = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for the first head."""
        super().connection_made(transport)
        if len(self.connections) > self.max_connections:
            transport.abort()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; whatever comes between requests begins a head, be it only a line's end."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        cycle: Any = self.cycle
        if (
            self._head_timer is None
            and (cycle is None or cycle.response_complete)
            and self.timeout_keep_alive_task is None
        ):
            self._await_head()
        if self._head_timer is not None:
            self._head_size += len(data)
            if self._head_size > _BIGGEST_HEAD:
                self._stop_waiting()
                self.send_400_response("The head of the request is too large.")

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        if self._head_timer is None:
            self._await_head()

    def on_headers_complete(self) -> None:
        """A head is whole. Raises ValueError, which the parser's caller answers 400, when it is too large."""
        self._stop_waiting()
        if len(self.url) + sum(len(name) + len(value) for name, value in self.headers) > _BIGGEST_HEAD:
            raise ValueError("the head of the request is too large")
        super().on_headers_complete()

    def _await_head(self) -> None:
        self._head_size = 0
        self._head_timer = self.loop.call_later(_HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def bounded(max_connections: int) -> type[BoundedProtocol]:
    """The protocol for a server that takes so many connections and hangs up on more."""
    return type("BoundedProtocol", (BoundedProtocol,), {"max_connections": max_connections})
