"""One ASGI application on one TCP port, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import threading
import time
from collections.abc import Callable

import uvicorn
from starlette.types import ASGIApp

from api.errors import PortInUse, UsageError
from api.http_protocol import bounded

_BACKLOG = 2048
_DRAIN_S = 4


def bind(host: str, port: int, purpose: str, flag: str) -> socket.socket:
    """A bound socket; port 0 picks a free one.

    Raises PortInUse, or UsageError when the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {host}, wanted for {purpose}, is in use by another process; choose another with {flag}"
            ) from error
        raise UsageError(f"cannot listen on {host}:{port} for {purpose}: {error.strerror or error}") from error
    return sock


def event_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the event loops of listeners: uvloop's, which spend a third less a request, or None for asyncio's."""
    return uvicorn.Config("", log_config=None).get_loop_factory()


class Listener:
    """A uvicorn server on a socket that is already bound. `make` builds the application when it starts."""

    def __init__(self, sock: socket.socket, name: str, make: Callable[[], ASGIApp], max_connections: int) -> None:
        self._max_connections = max_connections
        self._socket = sock
        self._name = name
        self._make = make
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """http://HOST:PORT with the real port."""
        host, port = self._socket.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    @property
    def listening(self) -> bool:
        """Whether requests are being answered."""
        return self._server is not None and self._server.started and not self._server.should_exit

    def start(self, timeout_s: float = 10.0) -> None:
        """Begin to listen. Raises UsageError when it does not listen within `timeout_s`."""
        config = uvicorn.Config(
            self._make(),
            http=bounded(self._max_connections),
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=_DRAIN_S,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, name=f"{self._name}-http", daemon=True
        )
        self._thread.start()
        deadline = time.monotonic() + timeout_s
        while not self._server.started:
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise UsageError(f"the {self._name} server did not start listening at {self.url}")
            time.sleep(0.005)

    def stop(self) -> None:
        """Answer what is in flight, then stop; safe to call twice."""
        if self._server is not None:
            self._server.should_exit = True
        if self._thread is not None:
            self._thread.join(_DRAIN_S + 2)
            self._thread = None
        self._socket.close()
