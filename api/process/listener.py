"""One ASGI application on one TCP port, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from api.errors import PortInUse, UsageError
from api.process.connections import Gate

_BACKLOG = 2048
_DRAIN_S = 4
_HANDSHAKE_S = 5.0
# The gate closes idle connections; uvicorn's own timer, one for each answer, has nothing to do.
_NEVER_S = 3600


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


class _Server(uvicorn.Server):
    """uvicorn's server, which gives a TLS handshake a minute."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        config, loop = self.config, asyncio.get_running_loop()
        patience = _HANDSHAKE_S if config.ssl else None

        def protocol() -> asyncio.Protocol:
            make: Any = config.http_protocol_class
            return make(config=config, server_state=self.server_state, app_state={}, _loop=loop)  # type: ignore[no-any-return]

        self.servers = [
            await loop.create_server(
                protocol, sock=sock, ssl=config.ssl, ssl_handshake_timeout=patience, backlog=config.backlog
            )
            for sock in sockets or ()
        ]
        self.started = True


class Listener:
    """A uvicorn server on a socket that is already bound. `make` builds the application when it starts."""

    def __init__(
        self,
        sock: socket.socket,
        name: str,
        make: Callable[[], ASGIApp],
        gate: Gate | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        host, port = sock.getsockname()[:2]
        scheme = "http" if tls is None else "https"
        self.url = f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
        self._socket = sock
        self._name = name
        self._make = make
        self._gate = gate or Gate()
        self._tls = tls
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    @property
    def listening(self) -> bool:
        """Whether requests are being answered."""
        return self._server is not None and self._server.started and not self._server.should_exit

    def start(self, timeout_s: float = 10.0) -> None:
        """Begin to listen. Raises UsageError when it does not listen within `timeout_s`."""
        config = uvicorn.Config(
            self._make(),
            http=self._gate.protocol,  # type: ignore[arg-type]  # anything that makes a protocol will do
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_NEVER_S,
            timeout_graceful_shutdown=_DRAIN_S,
        )
        config.load()
        config.ssl = self._tls
        self._server = _Server(config)
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
