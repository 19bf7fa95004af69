"""Request bodies as they were before gzip, never larger than allowed."""

from __future__ import annotations

import zlib
from collections.abc import Callable

from ingest.errors import BodyTooLarge, MalformedBody

_STEP = 1024 * 1024
_GZIP = 16 + zlib.MAX_WBITS


def gunzip(data: bytes, limit: int, grow: Callable[[int], None]) -> bytes:
    """The content of a gzip body of one or more members; `grow` hears the size so far and may raise.

    Raises BodyTooLarge beyond `limit` bytes and MalformedBody for what is not gzip or is cut off.
    """
    out = bytearray()
    while True:
        member = zlib.decompressobj(_GZIP)
        pending = data
        while not member.eof:
            try:
                piece = member.decompress(pending, _STEP)
            except zlib.error as error:
                raise MalformedBody("the body is not valid gzip") from error
            pending = member.unconsumed_tail
            out += piece
            if len(out) > limit:
                raise BodyTooLarge(f"the body is larger than {limit} bytes after decompression")
            grow(len(out))
            if not piece and not pending and not member.eof:
                raise MalformedBody("the gzip body is cut off")
        data = member.unused_data.lstrip(b"\0")
        if not data:
            return bytes(out)
