"""What the APIs of other tools have in common here: plain JSON, and every error in their own form.

A route of such an API uses a class made by `route_class`, which turns what a handler raises into that API's answer
before the problem documents of our own API see it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from api.errors import BadParameter, NotFound
from query.errors import BadQuery, QueryError, QueryLimitExceeded, QueryTimeout
from store.errors import StoreError, StoreUnavailable

_log = logging.getLogger(__name__)

# Longer than any parameter Grafana sends, shorter than what would cost anything to look at.
MAX_PARAMETER = 20_000
STATUSES: tuple[tuple[type[Exception], HTTPStatus], ...] = (
    (BadParameter, HTTPStatus.BAD_REQUEST),
    (NotFound, HTTPStatus.NOT_FOUND),
    (BadQuery, HTTPStatus.BAD_REQUEST),
    (QueryLimitExceeded, HTTPStatus.BAD_REQUEST),
    (QueryTimeout, HTTPStatus.GATEWAY_TIMEOUT),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE),
)

Render = Callable[[int, str], Response]


def answer(body: Any, status: int = 200) -> Response:
    """A JSON response; numbers that JSON does not have become null."""
    return Response(msgspec.json.encode(body), status_code=status, media_type="application/json")


def answering(
    kinds: tuple[type[Exception], ...],
    told: Callable[[Request, Exception], Response],
    look: Callable[[Request], None] = lambda _: None,
) -> type[APIRoute]:
    """A route class that answers errors of those kinds with what `told` makes of them; `look` may refuse a request."""

    class ForeignRoute(APIRoute):
        """A route of one foreign API."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            """The handler, with its errors turned into answers."""
            handle = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                try:
                    look(request)
                    return await handle(request)
                except kinds as error:
                    return told(request, error)

            return guarded

    return ForeignRoute


def route_class(render: Render) -> type[APIRoute]:
    """A route class whose errors are what `render` makes of a status and a sentence."""
    kinds = (BadParameter, NotFound, QueryError, StoreError, RequestValidationError, HTTPException)
    return answering(kinds, lambda request, error: render(*_told(request, error)), refuse_odd_parameters)


def refuse_odd_parameters(request: Request) -> None:
    """Raises BadParameter for values that no query needs: with NUL, or longer than MAX_PARAMETER."""
    named = [*request.query_params.multi_items(), *((key, str(value)) for key, value in request.path_params.items())]
    for name, value in named:
        if "\x00" in value or "\x00" in name:
            raise BadParameter(name.replace("\x00", "")[:40], "has a NUL character")
        if len(value) > MAX_PARAMETER:
            raise BadParameter(name[:40], f"is longer than {MAX_PARAMETER} characters")


def _told(request: Request, error: Exception) -> tuple[int, str]:
    if isinstance(error, RequestValidationError):
        return HTTPStatus.BAD_REQUEST, str(error.errors()[0]["msg"])
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail)
    status = next((status for kind, status in STATUSES if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    if status == HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s", request.method, request.url.path, error)
    return status, str(error)
