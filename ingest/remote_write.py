"""Prometheus remote write: POST /api/v1/write, versions 1.0 and 2.0, snappy.

https://prometheus.io/docs/specs/prw/remote_write_spec/ and
https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import NamedTuple

from ingest.budget import Hold
from ingest.envelope import MEDIA_TYPE, request_key
from ingest.errors import BodyTimeout, IngestError, Overloaded, UnsupportedMedia
from ingest.outcome import Outcome
from ingest.pipeline import Pipeline
from ingest.remote_write_landing import Version, WriteOutcome
from ingest.settings import MIB
from ingest.snappy import unsnap
from store.remote_write import Written

PATH = "/api/v1/write"
_LONGEST_PAUSE_S = 3


class Answer(NamedTuple):
    """An HTTP answer; text for people in the body unless the request was stored whole."""

    status: int
    headers: dict[str, str]
    body: bytes = b""


async def receive(pipeline: Pipeline, headers: Mapping[str, str], read: Callable[[Hold], Awaitable[bytes]]) -> Answer:
    """Take one request in. `headers` have lower-case names; `read` gives the body as it was sent, its bytes held.

    Never raises an IngestError. What else `read` raises passes, and the bytes are given back.
    """
    hold = pipeline.budget.hold()
    try:
        with ExitStack() as undo:
            undo.callback(hold.release)
            version = version_of(headers)
            data = await read(hold)
            if len(data) <= MIB // 8:
                key, body = _unpacked(pipeline, version, data, hold)
            else:
                key, body = await asyncio.to_thread(_unpacked, pipeline, version, data, hold)
            if not body:
                return _answered(WriteOutcome())
            # From here on the pipeline gives them back.
            undo.pop_all()
        return _answered(await pipeline.submit_to(version, key, body, hold))
    except IngestError as error:
        return _refused(error)


def version_of(headers: Mapping[str, str]) -> Version:
    """The version that the content type names. Raises UnsupportedMedia, for an encoding other than snappy too.

    The version header is not looked at: it tells what a sender can, and the content type what it did.
    """
    encoding = headers.get("content-encoding", "").strip().lower()
    # As Prometheus' own receiver: senders older than the specification leave it out.
    if encoding not in {"", "snappy"}:
        raise UnsupportedMedia("the content encoding must be snappy")
    media_type, *parameters = (part.strip() for part in headers.get("content-type", "").split(";"))
    if media_type.lower() != MEDIA_TYPE:
        raise UnsupportedMedia(f"the content type must be {MEDIA_TYPE}")
    named = (parameter.partition("=") for parameter in parameters)
    messages = [value.strip().strip('"') for name, _, value in named if name.strip().lower() == "proto"]
    try:
        return Version(messages[0]) if messages else Version.V1
    except ValueError:
        known = " or ".join(Version)
        raise UnsupportedMedia(f"the message of the content type must be {known}") from None


def _unpacked(pipeline: Pipeline, version: Version, data: bytes, hold: Hold) -> tuple[bytes, bytes]:
    """The request's key, and its body before compression."""
    body = unsnap(data, pipeline.settings.max_body_bytes, lambda size: hold.resize(len(data) + size))
    hold.resize(len(body))
    return request_key(pipeline.tenant, version, body), body


def _answered(outcome: Outcome) -> Answer:
    """204, or 400 when something in the request was not stored; both say how much was."""
    written = outcome.written if isinstance(outcome, WriteOutcome) else Written()
    headers = {
        "x-prometheus-remote-write-samples-written": str(written.samples),
        "x-prometheus-remote-write-histograms-written": str(written.histograms),
        "x-prometheus-remote-write-exemplars-written": str(written.exemplars),
    }
    if not outcome.rejected:
        return Answer(204, headers)
    text = f"{outcome.rejected} samples, histograms or exemplars were not stored: {outcome.message}"
    return _text(400, text, headers)


def _refused(error: IngestError) -> Answer:
    # Prometheus drops what is answered 4xx: a request that did not arrive in time is to be sent again.
    if isinstance(error, Overloaded | BodyTimeout):
        pause = str(random.randint(1, _LONGEST_PAUSE_S))  # noqa: S311
        return _text(503, str(error), {"retry-after": pause})
    return _text(error.status, str(error), {})


def _text(status: int, text: str, headers: dict[str, str]) -> Answer:
    return Answer(status, {"content-type": "text/plain; charset=utf-8", **headers}, f"{text}\n".encode())
