"""Prometheus remote write: POST /api/v1/write, versions 1.0 and 2.0, snappy.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and
https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/. Answers are text for people; a request takes the same way
into the store as one of OTLP.
"""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from ingest.access import Authorize
from ingest.answers import Encoding, pause, reason
from ingest.budget import Hold
from ingest.defects import Defects
from ingest.envelope import Signal
from ingest.errors import BodyTimeout, IngestError, MethodNotAllowed, UnsupportedMedia
from ingest.http_body import Headers, Receive, Scope, Send, lookup, read_body
from ingest.outcome import Outcome, WriteOutcome
from ingest.pipeline import Pipeline
from ingest.remote_write_landing import Version
from ingest.settings import MIB
from ingest.snappy import unsnap

PATH = "/api/v1/write"
# Bodies beyond this size are unpacked in a thread: what is below takes less than a millisecond.
_AT_ONCE = MIB // 8

Fields = list[tuple[bytes, bytes]]


class Answer(NamedTuple):
    """An HTTP answer; text in the body unless the request was stored whole."""

    status: int
    headers: Fields
    text: str = ""


class RemoteWrite:
    """The ASGI application behind the path."""

    def __init__(self, pipeline: Pipeline, authorize: Authorize) -> None:
        self._pipeline = pipeline
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        async with Defects(lambda error: _send(send, _refused(error))):
            try:
                answer = await self._stored(scope, receive)
            except IngestError as error:
                self._pipeline.telemetry.refused(Signal.METRICS, error)
                answer = _refused(error)
            if answer is not None:
                await _send(send, answer)

    async def _stored(self, scope: Scope, receive: Receive) -> Answer | None:
        """The answer to a request that was stored, or None when the client has gone. Raises an IngestError."""
        headers: Headers = dict(scope["headers"])
        if scope["method"] != "POST":
            raise MethodNotAllowed("telemetry is POSTed")
        sender = self._authorize(lookup(scope, headers))
        version = version_of(headers)
        hold = self._pipeline.budget.hold(sender.tenant)
        try:
            body = await self._body(headers, receive, hold)
        except (IngestError, asyncio.CancelledError):
            hold.release()
            raise
        if not body:
            hold.release()
            return None if body is None else _answered(WriteOutcome())
        return _answered(await self._pipeline.submit(version, body, hold))

    async def _body(self, headers: Headers, receive: Receive, hold: Hold) -> bytes | None:
        """The request before compression, its bytes held; None when the client has gone."""
        settings = self._pipeline.settings
        limit = settings.max_body_bytes
        data = await read_body(headers, receive, limit, settings.body_timeout_s, hold)
        if data is None:
            return None

        def grow(size: int) -> None:
            hold.resize(len(data) + size)

        if len(data) <= _AT_ONCE:
            body = unsnap(data, limit, grow)
        else:
            body = await asyncio.to_thread(unsnap, data, limit, grow)
        hold.resize(len(body))
        return body


def version_of(headers: Headers) -> Version:
    """The version that the content type names. Raises UnsupportedMedia, for an encoding other than snappy too.

    The version header is not looked at: it tells what a sender can, and the content type what it did.
    """
    encoding = headers.get(b"content-encoding", b"").strip().lower()
    # As Prometheus' own receiver: senders older than the specification leave it out.
    if encoding not in {b"", b"snappy"}:
        raise UnsupportedMedia("the content encoding must be snappy")
    content_type = headers.get(b"content-type", b"").decode("latin-1")
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type.lower() != Encoding.PROTOBUF:
        raise UnsupportedMedia(f"the content type must be {Encoding.PROTOBUF}")
    named = (parameter.partition("=") for parameter in parameters)
    messages = [value.strip().strip('"') for name, _, value in named if name.strip().lower() == "proto"]
    try:
        return Version(messages[0]) if messages else Version.V1
    except ValueError:
        known = " or ".join(Version)
        raise UnsupportedMedia(f"the message of the content type must be {known}") from None


def _answered(outcome: Outcome) -> Answer:
    """204, or 400 when something in the request was not stored; both say how much was."""
    written = outcome if isinstance(outcome, WriteOutcome) else WriteOutcome()
    headers = [
        (b"x-prometheus-remote-write-samples-written", b"%d" % written.samples),
        (b"x-prometheus-remote-write-histograms-written", b"%d" % written.histograms),
        (b"x-prometheus-remote-write-exemplars-written", b"%d" % written.exemplars),
    ]
    if not outcome.rejected:
        return Answer(204, headers)
    text = f"{outcome.rejected} samples, histograms or exemplars were not stored: {outcome.message}"
    return Answer(400, headers, text)


def _refused(error: IngestError) -> Answer:
    headers: Fields = []
    wait_s = pause(error)
    if wait_s is not None:
        headers.append((b"retry-after", b"%d" % wait_s))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", b"POST"))
    if isinstance(error, BodyTimeout):
        # What is still to come of it would be taken for the next request.
        headers.append((b"connection", b"close"))
    return Answer(error.status, headers, reason(error))


async def _send(send: Send, answer: Answer) -> None:
    body = f"{answer.text}\n".encode() if answer.text else b""
    fields = answer.headers
    if body:
        length = (b"content-length", b"%d" % len(body))
        fields = [(b"content-type", b"text/plain; charset=utf-8"), length, *fields]
    await send({"type": "http.response.start", "status": answer.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
