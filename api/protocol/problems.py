"""RFC 9457 problem documents: one table from exception to status and type."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from api.errors import BadParameter, Conflict, KeyInUse, NotFound, TooMany
from correlate.errors import JobError, NoSuchIncident, TurnTaken, Undecidable
from ingest.errors import Forbidden, Overloaded
from store.errors import StoreError, StoreOverloaded, StoreUnavailable

_log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

# Exception -> (status, problem type, title, seconds after which to try again). First match wins.
PROBLEMS: tuple[tuple[type[Exception], HTTPStatus, str, str, int | None], ...] = (
    (BadParameter, HTTPStatus.BAD_REQUEST, "bad-parameter", "A parameter cannot be used", None),
    (Forbidden, HTTPStatus.FORBIDDEN, "forbidden", "The access key does not allow this", None),
    (NotFound, HTTPStatus.NOT_FOUND, "not-found", "There is nothing of that id", None),
    (NoSuchIncident, HTTPStatus.NOT_FOUND, "not-found", "There is nothing of that id", None),
    (Undecidable, HTTPStatus.CONFLICT, "undecidable", "The incident does not allow this", None),
    (Conflict, HTTPStatus.CONFLICT, "conflict", "This contradicts what there is", None),
    (KeyInUse, HTTPStatus.CONFLICT, "idempotency-key-in-use", "The idempotency key is in use", None),
    (TooMany, HTTPStatus.TOO_MANY_REQUESTS, "too-many", "Too many requests or streams", 5),
    (Overloaded, HTTPStatus.SERVICE_UNAVAILABLE, "overloaded", "The receiver is overloaded", 2),
    (JobError, HTTPStatus.SERVICE_UNAVAILABLE, "correlation-unavailable", "The correlation cannot be started now", 2),
    (TurnTaken, HTTPStatus.SERVICE_UNAVAILABLE, "busy", "Incidents are being written by another", 2),
    (StoreOverloaded, HTTPStatus.SERVICE_UNAVAILABLE, "store-overloaded", "The store is overloaded", 3),
    (StoreUnavailable, HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "The store does not answer", 2),
    (StoreError, HTTPStatus.INTERNAL_SERVER_ERROR, "store-failed", "The store failed", None),
)

_TEXT = {"type": "string"}
# What the API's description says of errors; with it, FastAPI does not promise 422, which nobody gets.
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {
        "description": "A problem document (RFC 9457)",
        "content": {
            MEDIA_TYPE: {
                "schema": {
                    "type": "object",
                    "required": ["type", "title", "status", "detail"],
                    "properties": {
                        **dict.fromkeys(("type", "title", "detail", "parameter"), _TEXT),
                        "status": {"type": "integer"},
                    },
                }
            }
        },
    }
    for status in ("4XX", "503")
}


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem document."""
    for kind, *_ in PROBLEMS:
        app.add_exception_handler(kind, _from_table)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


def problem(status: int, kind: str, title: str, detail: str, **more: Any) -> JSONResponse:
    """A problem document as a response."""
    body = {"type": f"urn:causeline:problem:{kind}", "title": title, "status": int(status), "detail": detail, **more}
    return JSONResponse(body, status_code=int(status), media_type=MEDIA_TYPE)


def plain(status: int, detail: str) -> tuple[str, bytes]:
    """A problem document without a request: its media type and its bytes."""
    title = HTTPStatus(status).phrase
    return MEDIA_TYPE, bytes(problem(status, title.lower().replace(" ", "-"), title, detail).body)


async def _from_table(request: Request, error: Exception) -> JSONResponse:
    _, status, kind, title, retry = next(row for row in PROBLEMS if isinstance(error, row[0]))
    if isinstance(error, BadParameter):
        return problem(status, kind, title, error.reason, parameter=error.parameter)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        _log.error("%s %s: %s", request.method, request.url.path, error)
    response = problem(status, kind, title, str(error))
    if retry is not None:
        response.headers["Retry-After"] = str(retry)
    return response


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    names = [str(part) for part in first["loc"] if part not in ("query", "body", "path", "header")]
    return problem(
        HTTPStatus.BAD_REQUEST,
        "bad-parameter",
        "A parameter cannot be used",
        first["msg"],
        parameter=".".join(names) or "body",
    )


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase
    response = problem(error.status_code, title.lower().replace(" ", "-"), title, str(error.detail))
    response.headers.update(error.headers or {})
    return response
