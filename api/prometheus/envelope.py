"""Answers and errors in Prometheus' envelope, and the table from exception to its kinds."""

from __future__ import annotations

import json
import logging
from typing import Any

from fastapi import Response

from api.protocol.foreign import answering
from query.errors import BadQuery, QueryError, QueryFailed, QueryLimitExceeded, QueryTimeout
from query.promql.context import Notes
from store.errors import StoreError, StoreUnavailable

_log = logging.getLogger(__name__)
JSON = "application/json"

# Exception -> (status, errorType). https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview
KINDS: tuple[tuple[type[Exception], int, str], ...] = (
    (BadQuery, 400, "bad_data"),
    (QueryFailed, 422, "execution"),
    (QueryLimitExceeded, 422, "execution"),
    (QueryTimeout, 503, "timeout"),
    (QueryError, 422, "execution"),
    (StoreUnavailable, 503, "unavailable"),
    (StoreError, 500, "internal"),
)


def failure(error: Exception) -> Response:
    """An error in the envelope."""
    _, status, kind = next(row for row in KINDS if isinstance(error, row[0]))
    if status >= 500:
        _log.error("prometheus API: %s", error)
    body = {"status": "error", "errorType": kind, "error": str(error)}
    response = Response(json.dumps(body), status_code=status, media_type=JSON)
    if status == 503:
        response.headers["Retry-After"] = "2"
    return response


# A route whose errors are Prometheus' own.
PrometheusRoute = answering(tuple(kind for kind, *_ in KINDS), lambda _, error: failure(error))


def success(data: bytes, notes: Notes | None = None, truncated: str = "") -> Response:
    """An answer whose data is JSON already, with what there is to say of it."""
    parts = [b'{"status":"success","data":', data]
    warnings = [*(notes.warnings if notes is not None else ()), *([truncated] if truncated else ())]
    for name, texts in (("warnings", warnings), ("infos", list(notes.infos) if notes is not None else [])):
        if texts:
            parts.append(f',"{name}":{json.dumps(texts)}'.encode())
    return Response(b"".join([*parts, b"}"]), media_type=JSON)


def as_json(value: Any) -> bytes:
    """A value as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
