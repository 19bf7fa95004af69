"""A request that its client gives up ends in the store, too."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from store import Store
from store.cancel import asking, cancel
from store.errors import StoreError

_log = logging.getLogger(__name__)


class Cancelling:
    """Watches for the end of the connection while a request is answered, and then ends its queries."""

    def __init__(self, app: ASGIApp, store: Callable[[], Store]) -> None:
        self._app = app
        self._store = store

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with asking() as mark:
            watched = _Watched(receive, lambda: cancel(self._store(), mark))
            if scope["method"] in ("GET", "HEAD"):
                # Nobody may read the body of these, and only after it does a client's leaving show.
                await watched.begin()
            try:
                await self._app(scope, watched.receive, send)
            finally:
                watched.end()


class _Watched:
    """What a server receives for one request, with an eye on the client from the end of the body on."""

    def __init__(self, receive: Receive, left: Callable[[], None]) -> None:
        self._receive = receive
        self._left = left
        self._first: Message | None = None
        self._watch: asyncio.Task[Message] | None = None

    async def begin(self) -> None:
        """Take the first message now; the application gets it when it asks."""
        self._first = await self._next()

    async def receive(self) -> Message:
        """The next message for the application."""
        if self._first is not None:
            message, self._first = self._first, None
            return message
        if self._watch is not None:
            return await asyncio.shield(self._watch)
        return await self._next()

    async def _next(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._watch = asyncio.create_task(self._until_gone())
        return message

    async def _until_gone(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            try:
                await asyncio.to_thread(self._left)
            except StoreError as error:
                _log.warning("queries of a client that left were not ended: %s", error)
        return message

    def end(self) -> None:
        """The answer is sent: whoever leaves now leaves nothing running."""
        if self._watch is not None:
            self._watch.cancel()
