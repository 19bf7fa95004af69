"""OTLP/HTTP: POST /v1/traces, /v1/logs and /v1/metrics with a protobuf body, plain or gzip.

Prometheus remote write has its path here, too: see ingest.remote_write.

Every answer is protobuf: an empty Export*ServiceResponse for success, a google.rpc.Status for
anything else (https://opentelemetry.io/docs/specs/otlp/#otlphttp).
"""

from __future__ import annotations

import asyncio
import logging
import random
from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ingest import remote_write
from ingest.budget import Hold
from ingest.compression import gunzip
from ingest.envelope import MEDIA_TYPE, Signal, status_body
from ingest.errors import (
    BodyTimeout,
    BodyTooLarge,
    IngestError,
    MalformedBody,
    MethodNotAllowed,
    Overloaded,
    UnknownPath,
    UnsupportedMedia,
)
from ingest.pipeline import Pipeline
from ingest.settings import MIB, IngestSettings

_log = logging.getLogger(__name__)
_HTTP_ERRORS: dict[int, type[IngestError]] = {404: UnknownPath, 405: MethodNotAllowed}
_LONGEST_PAUSE_S = 3


def create_app(pipeline: Pipeline) -> ASGIApp:
    """The receiver as an ASGI app; starting and stopping the pipeline is the caller's."""
    routes = [Route(f"/v1/{signal}", partial(_receive, pipeline, signal), methods=["POST"]) for signal in Signal]
    routes.append(Route(remote_write.PATH, partial(_receive_remote_write, pipeline), methods=["POST"]))
    handlers = {IngestError: _refused, HTTPException: _not_found, Exception: _broken}
    app = Starlette(routes=routes, exception_handlers=handlers)  # type: ignore[arg-type]
    app.router.redirect_slashes = False
    return app


async def _receive(pipeline: Pipeline, signal: Signal, request: Request) -> Response:
    hold = pipeline.budget.hold()
    try:
        body = await _body(request, pipeline.settings, hold)
    except (IngestError, ClientDisconnect, asyncio.CancelledError) as error:
        hold.release()
        if isinstance(error, ClientDisconnect):
            return Response(status_code=400)
        raise
    if body:
        await pipeline.submit(signal, body, hold)
    return Response(media_type=MEDIA_TYPE)


async def _receive_remote_write(pipeline: Pipeline, request: Request) -> Response:
    read = partial(_sent, request, pipeline.settings)
    try:
        answer = await remote_write.receive(pipeline, request.headers, read)
    except ClientDisconnect:
        return Response(status_code=400)
    return Response(answer.body, answer.status, answer.headers)


async def _body(request: Request, settings: IngestSettings, hold: Hold) -> bytes:
    """The decompressed body, its bytes held. Raises an IngestError that says what is wrong with it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != MEDIA_TYPE:
        raise UnsupportedMedia(f"the content type must be {MEDIA_TYPE}")
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity", "gzip"}:
        raise UnsupportedMedia("the content encoding must be gzip or identity")
    limit = settings.max_body_bytes
    data = await _sent(request, settings, hold)
    if encoding != "gzip" or not data:
        return data
    if len(data) <= MIB // 8:
        return _gunzip(data, limit, hold)
    return await asyncio.to_thread(_gunzip, data, limit, hold)


async def _sent(request: Request, settings: IngestSettings, hold: Hold) -> bytes:
    """The body as it was sent, its bytes held. Raises BodyTooLarge, BodyTimeout or Overloaded."""
    limit = settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")
    try:
        async with asyncio.timeout(settings.body_timeout_s):
            return await _read(request, limit, hold)
    except TimeoutError:
        raise BodyTimeout(f"the body did not arrive within {settings.body_timeout_s:g} s") from None


async def _read(request: Request, limit: int, hold: Hold) -> bytes:
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"the body is larger than {limit} bytes")
        hold.resize(size)
        chunks.append(chunk)
    return b"".join(chunks)


def _gunzip(data: bytes, limit: int, hold: Hold) -> bytes:
    body = gunzip(data, limit, lambda size: hold.resize(len(data) + size))
    hold.resize(len(body))
    return body


def _answer(error: IngestError, headers: dict[str, str] | None = None) -> Response:
    content = status_body(error.code, str(error))
    return Response(content, error.status, headers, MEDIA_TYPE)


def _refused(_: Request, error: IngestError) -> Response:
    headers = {}
    if isinstance(error, Overloaded):
        # Python's and JavaScript's exporters drop when asked to wait longer than a few seconds.
        headers["Retry-After"] = str(random.randint(1, _LONGEST_PAUSE_S))  # noqa: S311
    if isinstance(error, BodyTooLarge | BodyTimeout):
        headers["Connection"] = "close"
    return _answer(error, headers)


def _not_found(request: Request, error: HTTPException) -> Response:
    kind = _HTTP_ERRORS.get(error.status_code, MalformedBody)
    known = ", ".join(f"/v1/{signal}" for signal in Signal)
    message = f"POST telemetry to {known}" if kind is UnknownPath else str(error.detail)
    return _answer(kind(message), dict(error.headers or {}))


def _broken(_: Request, error: Exception) -> Response:
    """A defect of ours; Starlette raises it again, so that it is logged."""
    return _answer(IngestError("internal error"))
