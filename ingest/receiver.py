"""OTLP/HTTP: POST /v1/traces, /v1/logs and /v1/metrics, protobuf or JSON, plain or compressed.

Prometheus remote write has its path here, too: see ingest.remote_write.

A plain ASGI application: of a small request, a framework's routing and its request and response objects cost more
than all that is done here (https://opentelemetry.io/docs/specs/otlp/#otlphttp). Every answer is encoded as its
request, and is an Export*ServiceResponse or a google.rpc.Status.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from ingest.access import Authorize, anyone
from ingest.answers import Encoding, failure, pause, success
from ingest.budget import Hold
from ingest.compression import DECODERS
from ingest.defects import Defects
from ingest.envelope import Signal
from ingest.errors import (
    BodyTimeout,
    IngestError,
    MalformedBody,
    MethodNotAllowed,
    UnknownPath,
    UnsupportedMedia,
)
from ingest.http_body import Headers, Receive, Scope, Send, lookup, read_body
from ingest.otlp_json import protobuf_of
from ingest.outcome import STORED
from ingest.pipeline import Pipeline
from ingest.remote_write import PATH, RemoteWrite
from ingest.settings import MIB

_SIGNALS = {f"/v1/{signal}": signal for signal in Signal}
_ENCODINGS = {encoding.value.encode(): encoding for encoding in Encoding}
# Bodies beyond these sizes are worked on in a thread: what is below takes about a millisecond.
_COMPRESSED_AT_ONCE = MIB // 8
_JSON_AT_ONCE = MIB // 32


def create_app(pipeline: Pipeline, authorize: Authorize = anyone) -> Receiver:
    """The receiver as an ASGI app; starting and stopping the pipeline is the caller's."""
    return Receiver(pipeline, authorize)


class Receiver:
    """The application; `create_app` makes it."""

    def __init__(self, pipeline: Pipeline, authorize: Authorize = anyone) -> None:
        self._pipeline = pipeline
        self._authorize = authorize
        self._remote_write = RemoteWrite(pipeline, authorize)
        # One at a time: parsed JSON takes twenty times the memory of its text, and holds Python's lock anyway.
        self._parser = ThreadPoolExecutor(1, thread_name_prefix="ingest-json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        if scope["path"] == PATH:
            await self._remote_write(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        encoding = _encoding(headers.get(b"content-type", b""))
        spoken = encoding or Encoding.PROTOBUF
        async with Defects(lambda error: _refuse(send, error, spoken)):
            try:
                signal = self._signal(scope)
                sender = self._authorize(lookup(scope, headers))
                if encoding is None:
                    raise UnsupportedMedia(f"the content type must be one of {', '.join(Encoding)}")
                answer = await self._stored(signal, encoding, headers, receive, sender.tenant)
            except IngestError as error:
                self._pipeline.telemetry.refused(_SIGNALS.get(scope["path"]), error)
                await _refuse(send, error, spoken)
            else:
                if answer is not None:
                    await _answer(send, 200, answer, spoken)

    def _signal(self, scope: Scope) -> Signal:
        signal = _SIGNALS.get(scope["path"])
        if signal is None:
            raise UnknownPath(f"POST telemetry to {', '.join(_SIGNALS)}")
        if scope["method"] != "POST":
            raise MethodNotAllowed("telemetry is POSTed")
        return signal

    async def _stored(
        self, signal: Signal, encoding: Encoding, headers: Headers, receive: Receive, tenant: str
    ) -> bytes | None:
        """The answer to a request that was stored, or None when the client has gone."""
        hold = self._pipeline.budget.hold(tenant)
        try:
            body = await self._body(signal, encoding, headers, receive, hold)
        except (IngestError, asyncio.CancelledError):
            hold.release()
            raise
        if not body:
            hold.release()
            return None if body is None else success(signal, STORED, encoding)
        return success(signal, await self._pipeline.submit(signal, body, hold), encoding)

    async def _body(
        self, signal: Signal, encoding: Encoding, headers: Headers, receive: Receive, hold: Hold
    ) -> bytes | None:
        """The request as protobuf, its bytes held; None when the client has gone. Raises an IngestError."""
        settings = self._pipeline.settings
        limit = settings.max_body_bytes
        if encoding is Encoding.JSON:
            limit = min(limit, settings.max_json_bytes)
        coding = headers.get(b"content-encoding", b"").strip().lower().decode("latin-1")
        if coding not in DECODERS and coding not in {"", "identity"}:
            raise UnsupportedMedia(f"the content encoding must be one of {', '.join(DECODERS)}, identity")
        body = await read_body(headers, receive, limit, settings.body_timeout_s, hold)
        if body and coding in DECODERS:
            body = await _decompressed(coding, body, limit, hold)
        if encoding is Encoding.JSON and body is not None:
            body = await self._converted(signal, body)
            hold.resize(len(body))
        return body

    async def _converted(self, signal: Signal, body: bytes) -> bytes:
        if not body:
            raise MalformedBody("the body is empty; the smallest JSON is {}")
        if len(body) <= _JSON_AT_ONCE:
            return protobuf_of(signal, body)
        return await asyncio.get_running_loop().run_in_executor(self._parser, protobuf_of, signal, body)


def _encoding(content_type: bytes) -> Encoding | None:
    """What a media type stands for, whatever its case and parameters."""
    found = _ENCODINGS.get(content_type)
    return found or _ENCODINGS.get(content_type.partition(b";")[0].strip().lower())


async def _decompressed(coding: str, data: bytes, limit: int, hold: Hold) -> bytes:
    def grow(size: int) -> None:
        hold.resize(len(data) + size)

    decode = DECODERS[coding]
    if len(data) <= _COMPRESSED_AT_ONCE:
        body = decode(data, limit, grow)
    else:
        body = await asyncio.to_thread(decode, data, limit, grow)
    hold.resize(len(body))
    return body


async def _refuse(send: Send, error: IngestError, encoding: Encoding) -> None:
    headers = []
    wait_s = pause(error)
    if wait_s is not None:
        headers.append((b"retry-after", str(wait_s).encode()))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", b"POST"))
    if isinstance(error, BodyTimeout):
        # What is still to come of it would be taken for the next request. After other errors the rest is read and
        # forgotten, within the listener's patience: a connection cut while a client sends costs it the answer.
        headers.append((b"connection", b"close"))
    await _answer(send, error.status, failure(error, wait_s, encoding), encoding, headers)


async def _answer(
    send: Send, status: int, body: bytes, encoding: Encoding, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fields = [(b"content-type", encoding.value.encode()), (b"content-length", b"%d" % len(body)), *(headers or ())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
