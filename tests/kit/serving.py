"""An ASGI application or a gRPC handler on a free loopback port, really listening."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from api.process.grpc_listener import GrpcListener
from api.process.listener import bind, event_loop_factory
from ingest.grpc_server import options


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """The application's base URL while it serves."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@contextmanager
def serving_grpc(make: Callable[[], Any], largest_message: int = 1 << 20, credentials: Any = None) -> Iterator[str]:
    """HOST:PORT of a gRPC server with the handler that `make` returns, while it serves."""
    sock = bind("127.0.0.1", 0, "tests", "")
    listener = GrpcListener(sock, make, options(largest_message, 100), event_loop_factory(), credentials)
    listener.start()
    try:
        yield listener.address
    finally:
        listener.stop()
