"""Request bodies as they were before snappy's block format, never larger than allowed.

Format: https://github.com/google/snappy/blob/main/format_description.txt
"""

from __future__ import annotations

from collections.abc import Callable

import cramjam

from ingest.errors import BodyTooLarge, MalformedBody

# Three bytes copy at most 64: nothing that was compressed claims to become larger.
_COPY, _COPIED = 3, 64


def unsnap(data: bytes, limit: int, grow: Callable[[int], None]) -> bytes:
    """The content of a snappy block; `grow` hears its size before it is unpacked and may raise.

    Raises BodyTooLarge beyond `limit` bytes and MalformedBody for what is not snappy or is cut off.
    """
    try:
        size = cramjam.snappy.decompress_raw_len(data)
    except cramjam.DecompressionError as error:
        raise MalformedBody("the body is not valid snappy") from error
    if size > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes after decompression")
    if size * _COPY > len(data) * _COPIED:
        raise MalformedBody("the snappy body is cut off")
    grow(size)
    try:
        return bytes(cramjam.snappy.decompress_raw(data))
    except cramjam.DecompressionError as error:
        raise MalformedBody("the body is not valid snappy") from error
