"""OTLP/gRPC: Export of the three collector services, on raw bytes.

Requests are not parsed here, and none is read before its sender may send it: the handlers take a stream,
which to a client that sends one message is the same call, so that metadata comes first and the message is
waited for no longer than the settings say (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc).
"""

from __future__ import annotations

import asyncio
import logging
from types import TracebackType
from typing import Any

import grpc

from ingest.access import Authorize, anyone
from ingest.answers import pause, reason, retry_info, status, success
from ingest.envelope import Signal
from ingest.errors import BodyTimeout, IngestError, MalformedBody
from ingest.outcome import STORED
from ingest.pipeline import Pipeline

_log = logging.getLogger(__name__)
_METHODS = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# The library holds what has come of a message until it is whole, where the budget cannot see it. So when more than
# this many messages are on their way, those that take longer than this have to go, the oldest first.
_READ_AT_ONCE = 32
_READ_S = 1.0
_STREAMS = 256
_HANDSHAKE_MS = 5_000
_IDLE_MS = 30_000
_BIGGEST_ANSWER = 4 * 1024 * 1024


def options(largest_message: int, connections: int) -> list[tuple[str, int]]:
    """Options of a server (https://grpc.github.io/grpc/core/group__grpc__arg__keys.html).

    `largest_message` bounds a message before and after decompression, in bytes.
    """
    return [
        ("grpc.max_receive_message_length", largest_message),
        ("grpc.max_send_message_length", _BIGGEST_ANSWER),
        ("grpc.max_concurrent_streams", _STREAMS),
        ("grpc.max_allowed_incoming_connections", connections),
        ("grpc.server_handshake_timeout_ms", _HANDSHAKE_MS),
        ("grpc.max_connection_idle_ms", _IDLE_MS),
        # Two processes on one port would each get half of the calls.
        ("grpc.so_reuseport", 0),
    ]


class Exports(grpc.GenericRpcHandler):  # type: ignore[misc]  # the library has no types
    """The three Export methods; every other one is answered UNIMPLEMENTED by the library."""

    def __init__(self, pipeline: Pipeline, authorize: Authorize = anyone) -> None:
        self._pipeline = pipeline
        self._authorize = authorize
        self._reading: dict[asyncio.Timeout, float] = {}
        self._handlers = {method: self._handler(signal) for method, signal in _METHODS.items()}

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a call, or None."""
        return self._handlers.get(handler_call_details.method)

    def _handler(self, signal: Signal) -> Any:
        async def export(_: Any, context: Any) -> bytes:
            async with _Defects(context):
                try:
                    return await self._export(signal, context)
                except IngestError as error:
                    self._pipeline.telemetry.refused(signal, error)
                    await refuse(context, error)
                    raise

        return grpc.stream_unary_rpc_method_handler(export)

    async def _export(self, signal: Signal, context: Any) -> bytes:
        metadata = dict(context.invocation_metadata())
        sender = self._authorize(lambda name: str(metadata.get(name, "")))
        body = await self._message(context)
        if not body:
            return success(signal, STORED)
        hold = self._pipeline.budget.hold(sender.tenant)
        hold.resize(len(body))
        return success(signal, await self._pipeline.submit(signal, body, hold))

    async def _message(self, context: Any) -> bytes:
        reading = asyncio.timeout(self._pipeline.settings.body_timeout_s)
        try:
            async with reading:
                self._make_room()
                self._reading[reading] = asyncio.get_running_loop().time()
                message = await context.read()
        except TimeoutError:
            raise BodyTimeout("the message did not arrive in time") from None
        finally:
            self._reading.pop(reading, None)
        if not isinstance(message, bytes):
            raise MalformedBody("the call carries no message")
        return message

    def _make_room(self) -> None:
        now = asyncio.get_running_loop().time()
        while len(self._reading) >= _READ_AT_ONCE:
            oldest, since = next(iter(self._reading.items()))
            if now - since < _READ_S:
                break
            oldest.reschedule(now)
            del self._reading[oldest]


async def refuse(context: Any, error: IngestError) -> None:
    """End the call with the error's code. Raises grpc's AbortError.

    Clients look for the pause in one of two trailers: those of Python in the second.
    """
    wait_s = pause(error)
    trailers = [("grpc-status-details-bin", status(error, wait_s).SerializeToString())]
    if wait_s is not None:
        trailers.append(("google.rpc.retryinfo-bin", retry_info(wait_s).SerializeToString()))
    await context.abort(_CODES[error.code], reason(error), tuple(trailers))


class _Defects:
    """Ends a call with INTERNAL when a defect of ours broke it; the library would answer UNKNOWN, with its text."""

    def __init__(self, context: Any) -> None:
        self._context = context

    async def __aenter__(self) -> None:
        """Nothing has gone wrong yet."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # The library's own errors end the call, or say that the caller has hung up.
        if isinstance(error, Exception) and not isinstance(error, grpc.aio.BaseError):
            _log.error("a call failed", exc_info=error)
            await refuse(self._context, IngestError("internal error"))
