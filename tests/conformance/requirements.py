"""The rows: what is asked, in our words, and the checks that show it.

The specification is https://opentelemetry.io/docs/specs/otlp/, 1.11. A check is a function of a Target whose
docstring says what it does; `make docs` prints rows and checks as docs/otlp-conformance.md.
"""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Callable
from typing import NamedTuple

from tests.conformance.target import Target

Check = Callable[[Target], None]


class Requirement(NamedTuple):
    """One row: its number, whether the specification says MUST, SHOULD or MAY, and what."""

    number: str
    level: str
    text: str


REQUIREMENTS = (
    Requirement("C01", "MUST", "Traces, metrics and logs have a path and a service each; nothing else is there."),
    Requirement("C02", "MUST", "Protobuf and JSON come to one port, told by the media type in any case and form."),
    Requirement("C03", "MUST", "An answer has the media type of its request."),
    Requirement("C04", "MUST", "Bodies may be plain or gzip (here also deflate and zstd); other codings are refused."),
    Requirement("C05", "MUST", "Full success is an empty response, without partial_success."),
    Requirement("C06", "SHOULD", "A request without telemetry is a success."),
    Requirement("C07", "MUST", "What was rejected is counted in partial_success, and the rest is stored."),
    Requirement("C08", "MAY", "A warning is a partial_success that rejects nothing and says something."),
    Requirement("C09", "MUST", "The body of every HTTP error is a google.rpc.Status in the request's encoding."),
    Requirement("C10", "MUST", "Bad data is 400, with details of what is bad, and is not to be sent again."),
    Requirement("C11", "MUST", "What may be sent again says so by 429, 502, 503 or 504, and nothing else does."),
    Requirement("C12", "MAY", "Overload says how long to wait: a few seconds, which no exporter takes for never."),
    Requirement("C13", "MUST", "The limit of a body's size holds before and after decompression, declared or not."),
    Requirement("C14", "MUST", "A response stays below 4 MiB; its message is shortened first."),
    Requirement("C15", "MUST", "HTTP/1.1 as exporters use it: one connection for many requests, and 100-continue."),
    Requirement("C16", "MUST", "gRPC says UNAVAILABLE to what may be sent again, INVALID_ARGUMENT to bad data."),
    Requirement("C17", "MUST", "RESOURCE_EXHAUSTED without RetryInfo is final; overload is UNAVAILABLE with it."),
    Requirement("C18", "MUST", "Every error has a gRPC code that is retryable exactly if sending again can help."),
    Requirement("C19", "SHOULD", "Many calls may be in flight on one connection."),
    Requirement("C20", "MUST", "Identifiers in JSON are hexadecimal, in either case, wherever they occur."),
    Requirement("C21", "MUST", "Enums in JSON are numbers, known or not; names are understood, too."),
    Requirement("C22", "MUST", "64-bit integers in JSON are strings or numbers, in range."),
    Requirement("C23", "MUST", "Unknown keys in JSON are ignored at every depth."),
    Requirement("C24", "MUST", "Keys in JSON are in lowerCamelCase; snake_case is unknown."),
    Requirement("C25", "MUST", "In JSON, NaN and Infinity are strings, bytes are base64, and null is no value."),
    Requirement("C26", "MAY", "A request sent again would be allowed to be stored again; here it is stored once."),
    Requirement("C27", "MUST", "Unknown protobuf fields are ignored."),
    Requirement("C28", "MUST", "Who may not send is told so, for good, before the body is read."),
)  # fmt: skip
HTTP: dict[str, list[Check]] = defaultdict(list)
GRPC: dict[str, list[Check]] = defaultdict(list)


def over_http(*numbers: str) -> Callable[[Check], Check]:
    """The decorated function shows these rows over HTTP."""
    return _register(HTTP, numbers)


def over_grpc(*numbers: str) -> Callable[[Check], Check]:
    """The decorated function shows these rows over gRPC."""
    return _register(GRPC, numbers)


def _register(table: dict[str, list[Check]], numbers: tuple[str, ...]) -> Callable[[Check], Check]:
    def add(check: Check) -> Check:
        for number in numbers:
            table[number].append(check)
        return check

    return add


def described(checks: list[Check]) -> str:
    """What the checks do, on one line; a dash when there are none."""
    return " ".join(" ".join((inspect.getdoc(check) or "").split()) for check in checks) or "-"
