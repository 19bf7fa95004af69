"""The body of an HTTP request, as it was sent: bounded in size and in time.

Types are ASGI's (https://asgi.readthedocs.io/en/stable/specs/www.html).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from ingest.access import Lookup
from ingest.budget import Hold
from ingest.errors import BodyTimeout, BodyTooLarge

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = Mapping[bytes, bytes]


def lookup(scope: Scope, headers: Headers) -> Lookup:
    """How whoever authorizes a request looks at it."""

    def find(name: str) -> str:
        found: bytes = scope.get("query_string", b"") if name == ":query" else headers.get(name.encode(), b"")
        return found.decode("latin-1")

    return find


async def read_body(headers: Headers, receive: Receive, limit: int, seconds: float, hold: Hold) -> bytes | None:
    """The body, its bytes held; None when the client has gone. Raises BodyTooLarge, BodyTimeout or Overloaded."""
    declared = headers.get(b"content-length", b"")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes")
    chunks: list[bytes] = []
    size, more = 0, True
    try:
        async with asyncio.timeout(seconds):
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size > limit:
                    raise BodyTooLarge(f"the body is larger than {limit} bytes")
                hold.resize(size)
                chunks.append(chunk)
    except TimeoutError:
        raise BodyTimeout(f"the body did not arrive within {seconds:g} s") from None
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
