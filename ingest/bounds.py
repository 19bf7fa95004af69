"""Requests that are refused whole for their shape: made of nothing but beginnings.

Told from a request's bytes within a bounded number of steps. Caps on single items are the engine's business
(scripts/rejection_expressions.py).
"""

from __future__ import annotations

from ingest.errors import BodyTooLarge


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


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number written at a position, and the position behind it."""
    number = 0
    for shift, byte in enumerate(body[at : at + 5]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    return len(body), len(body)
