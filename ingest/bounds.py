"""Requests that are refused whole for their shape: nested too deep, or made of nothing but beginnings.

Both are told from a request's bytes within a bounded number of steps. Caps on single items are the engine's
business (scripts/rejection_expressions.py).
"""

from __future__ import annotations

import re

from ingest.errors import BodyTooLarge, MalformedBody

# An AnyValue that is an array or a map: the tag of the field that holds it (KeyValue.value 2, ArrayValue.values 1,
# LogRecord.body 5), a length, and the tag of AnyValue.array_value (5) or kvlist_value (6).
_CONTAINER = re.compile(rb"[\x0a\x12\x2a](?:[\x02-\x7f]|[\x80-\xff]{1,4}[\x00-\x7f])[\x2a\x32]")


def check_resources(body: bytes, most: int) -> None:
    """Raises BodyTooLarge for more than `most` ResourceSpans, ResourceLogs or ResourceMetrics: 2 bytes each, empty,
    and a hundred times as many in the engine's memory. What is not a request is left to the engine to refuse.
    """
    at, number, end = 0, 0, len(body)
    while at < end:
        number += 1
        if number > most:
            raise BodyTooLarge(f"a request may hold {most} resources")
        tag, at = _varint(body, at)
        size, after = _varint(body, at)
        wire = tag & 7
        # Bytes with their length, a varint, or eight or four bytes; any other wire type is no field.
        at = {2: after + size, 0: after, 1: at + 8, 5: at + 4}.get(wire, end)


def check_depth(body: bytes, most: int) -> None:
    """Raises MalformedBody for arrays and maps nested more than `most` levels deep.

    One more than there are is never counted; one less only for bytes that are not what encoders write.
    """
    ends: list[int] = []
    for match in _CONTAINER.finditer(body):
        size, start = _varint(body, match.start() + 1)
        inner, content = _varint(body, match.end())
        if size != content - start + inner or content + inner > len(body):
            continue
        while ends and ends[-1] <= match.start():
            ends.pop()
        ends.append(content + inner)
        if len(ends) > most:
            raise MalformedBody(f"a value is nested more than {most} levels deep")


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number written at a position, and the position behind it."""
    number = 0
    for shift, byte in enumerate(body[at : at + 5]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    return len(body), len(body)
