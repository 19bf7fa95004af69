"""A request that says its body is too long gets a problem document, before any of it is read.

Starlette's own limit, which stands behind this and counts what comes in pieces, answers such a request in plain text.
"""

from __future__ import annotations

from http import HTTPStatus

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from api.protocol.problems import problem


class TooLarge:
    """ASGI middleware; `most` is in bytes."""

    def __init__(self, app: ASGIApp, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may be short enough."""
        length = Headers(scope=scope).get("content-length", "") if scope["type"] == "http" else ""
        if length.isdecimal() and int(length) > self._most:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
            detail = f"a body may have {self._most} bytes at most"
            await problem(status, "content-too-large", "Content Too Large", detail)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
