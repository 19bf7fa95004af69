"""Everything ingest answers a request with instead of success.

IngestError
├── MalformedBody      400  not OTLP, or broken or truncated compression
├── Unauthenticated    401  no key, or none that is known
├── Forbidden          403  the key does not allow this
├── UnknownPath        404  nothing is received at this path
├── MethodNotAllowed   405  telemetry is POSTed
├── BodyTooLarge       413  larger than the limit, before or after decompression
├── UnsupportedMedia   415  a content type or encoding that is not spoken here
├── BodyTimeout        503  the body did not arrive in time
└── Overloaded         503  no room, or the store does not answer; the same request may work later
    └── QuotaExceeded  429  the tenant sends more than it may

Only BodyTimeout and Overloaded may be retried (https://opentelemetry.io/docs/specs/otlp/#otlphttp-response). They are
503 and neither 408, which OTLP does not retry, nor 429, which Python exporters up to 1.44 take for permanent;
QuotaExceeded is 429 where the settings say so.

ValueError
└── BadPolicy          a redaction policy that cannot be used; it stops the start
"""

from __future__ import annotations

from typing import ClassVar


class IngestError(Exception):
    """Base of all ingest errors: an HTTP status and a gRPC code (google.rpc.Code)."""

    status: ClassVar[int] = 500
    code: ClassVar[int] = 13


class MalformedBody(IngestError):
    """The body cannot be decoded; sending it again cannot help."""

    status = 400
    code = 3


class Unauthenticated(IngestError):
    """The request carries no key, or none that is known."""

    status = 401
    code = 16


class Forbidden(IngestError):
    """The request's key does not allow this."""

    status = 403
    code = 7


class UnknownPath(IngestError):
    """Nothing is received at this path."""

    status = 404
    code = 12


class MethodNotAllowed(IngestError):
    """Telemetry is POSTed."""

    status = 405
    code = 12


class BodyTooLarge(IngestError):
    """The body is larger than the limit, before or after decompression."""

    status = 413
    code = 8


class UnsupportedMedia(IngestError):
    """The content type or encoding is not spoken here."""

    status = 415
    code = 3


class BodyTimeout(IngestError):
    """The body did not arrive in time; it may be sent again."""

    status = 503
    code = 4


class Overloaded(IngestError):
    """There is no room, or the store does not answer; the same request may work later."""

    status = 503
    code = 14


class QuotaExceeded(Overloaded):
    """The tenant sends more than its quota allows, and the settings want it told apart."""

    status = 429
    code = 8


class BadPolicy(ValueError):
    """The redaction policy cannot be used; the message is one sentence that says why."""
