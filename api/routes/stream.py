"""Incident changes as server-sent events."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request
from fastapi.sse import EventSourceResponse, ServerSentEvent

from api.deps import Wired
from api.reads.stream import Position, Stream, Streams

router = APIRouter(prefix="/api/v1", tags=["incidents"])


async def place(
    request: Request,
    wired: Wired,
    last_event_id: Annotated[
        str | None, Header(max_length=40, description="Id of the last event that was seen; later ones follow.")
    ] = None,
) -> AsyncIterator[tuple[Stream, Position | None]]:
    """A place among the clients, and where this one left off. Raises TooMany and BadParameter."""
    since = Position.parse(last_event_id) if last_event_id else None
    streams: Streams = request.app.state.streams
    stream = streams.of(wired.tenant)
    stream.enter()
    try:
        yield stream, since
    finally:
        stream.leave()


@router.get(
    "/incidents/stream",
    summary="Follow incident changes",
    response_class=EventSourceResponse,
    responses={
        200: {"description": "Server-sent events, until the client goes.", "content": {"text/event-stream": {}}}
    },
)
async def follow(
    wired: Wired, followed: Annotated[tuple[Stream, Position | None], Depends(place)]
) -> AsyncIterator[ServerSentEvent]:
    """What becomes of incidents, from now on or from behind `Last-Event-ID`; a comment every 15 s while nothing does.

    An event `incident` has the entry of the incident's history: `incident_id`, `kind`, `time`, `who`, `text`, `other`,
    `before`, `after`, and `href` of the incident. A stream ends when its key is revoked or expires.
    """
    stream, since = followed
    async for event in stream.follow(since, wired.stands):
        yield event
