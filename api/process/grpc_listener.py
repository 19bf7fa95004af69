"""OTLP/gRPC on one TCP port, in a thread with an event loop of its own."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import grpc

from api.errors import UsageError

_DRAIN_S = 4.0


class GrpcListener:
    """A gRPC server that takes over the address of a socket that is already bound.

    `make` builds the handler when it starts, inside the loop; `loop_factory` makes the loop. `address` is
    HOST:PORT with the real port.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], Any],
        options: list[tuple[str, int]],
        loop_factory: Callable[[], asyncio.AbstractEventLoop] | None = None,
        credentials: Any = None,
    ) -> None:
        self._socket = sock
        host, port = sock.getsockname()[:2]
        self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._make = make
        self._options = options
        self._loop_factory = loop_factory
        self._credentials = credentials
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._started: Future[None] = Future()

    @property
    def listening(self) -> bool:
        """Whether calls are being answered."""
        return self._thread is not None and self._started.done() and not self._asked.is_set()

    def start(self, timeout_s: float = 10.0) -> None:
        """Begin to listen. Raises UsageError when it does not listen within `timeout_s`."""
        self._thread = threading.Thread(target=self._run, name="otlp-grpc", daemon=True)
        self._thread.start()
        try:
            self._started.result(timeout_s)
        except (RuntimeError, TimeoutError) as error:
            raise UsageError(f"the OTLP/gRPC server did not start listening at {self.address}") from error

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._loop_factory) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = grpc.aio.server(options=self._options)
        server.add_generic_rpc_handlers((self._make(),))
        try:
            # The bound socket keeps the port ours until the server has it: it does not listen, so both may be bound.
            if self._credentials is None:
                server.add_insecure_port(self.address)
            else:
                server.add_secure_port(self.address, self._credentials)
        except RuntimeError as error:
            self._started.set_exception(error)
            return
        await server.start()
        self._started.set_result(None)
        await self._asked.wait()
        await server.stop(_DRAIN_S)

    def stop(self) -> None:
        """Answer what is in flight, then stop; safe to call twice."""
        if self._thread is not None and self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._asked.set)
            self._thread.join(_DRAIN_S + 2)
        self._thread = None
        self._socket.close()
