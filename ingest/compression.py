"""Request bodies as they were before gzip, never larger than allowed."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from ingest.errors import BodyTooLarge, MalformedBody

_STEP = 1024 * 1024
# zlib hands back what it has not used as a copy: small pieces keep a body of many members from being copied for each.
_PIECE = 16 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def gunzip(data: bytes, limit: int, grow: Callable[[int], None]) -> bytes:
    """The content of a gzip body of one or more members; `grow` hears the size so far and may raise.

    Raises BodyTooLarge beyond `limit` bytes and MalformedBody for what is not gzip or is cut off.
    """
    out = bytearray()
    member = zlib.decompressobj(_GZIP)
    for at in range(0, len(data), _PIECE):
        pending, more = data[at : at + _PIECE], False
        while pending or more:
            if member.eof:
                # Members may be padded with zeros.
                pending = pending.lstrip(b"\0")
                if not pending:
                    break
                member = zlib.decompressobj(_GZIP)
            try:
                content = member.decompress(pending, _STEP)
            except zlib.error as error:
                raise MalformedBody("the body is not valid gzip") from error
            pending = member.unused_data if member.eof else member.unconsumed_tail
            more = len(content) == _STEP and not member.eof
            out += content
            if len(out) > limit:
                raise BodyTooLarge(f"the body is larger than {limit} bytes after decompression")
            if content:
                grow(len(out))
    if not member.eof:
        raise MalformedBody("the gzip body is cut off")
    return bytes(out)
