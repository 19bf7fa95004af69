"""Request bodies as they were before compression, never larger than allowed.

Every decoder here stops at the limit, whatever the body claims of itself, and hears no more than it needs of a
body that goes beyond. There is none for br and snappy: OTLP does not use them.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import zstandard

from ingest.errors import BodyTooLarge, MalformedBody

# Hears the size so far and may raise.
Grow = Callable[[int], None]

_STEP = 1024 * 1024
# zlib hands back what it has not used as a copy: small pieces keep a body of many members from being copied for each.
_PIECE = 16 * 1024
# An ordinary request is one member no larger than this, and comes out in one piece a tenth sooner.
_ORDINARY = 4 * 1024 * 1024
# Four bytes of zstd can stand for 128 KiB, and the decoder gives all at once: 16 MiB of these.
_ZSTD_PIECE = 512
_ZSTD_STEP = 64 * 1024
# What encoders must not exceed without being asked to (https://www.rfc-editor.org/rfc/rfc8878#section-3.1.1.1.2).
_ZSTD_WINDOW = 8 * 1024 * 1024
_MOST_MEMBERS = 1_000
_GZIP, _ZLIB = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS


def gunzip(data: bytes, limit: int, grow: Grow) -> bytes:
    """The content of a gzip body of one or more members.

    Raises BodyTooLarge beyond `limit` bytes and MalformedBody for what is not gzip or is cut off.
    """
    return _ordinary(data, _GZIP, limit, grow) or _inflated("gzip", data, limit, grow)


def inflate(data: bytes, limit: int, grow: Grow) -> bytes:
    """The content of a deflate body, which in HTTP means zlib's format
    (https://www.rfc-editor.org/rfc/rfc9110#section-8.4.1.2). Raises as `gunzip` does.
    """
    return _ordinary(data, _ZLIB, limit, grow) or _inflated("deflate", data, limit, grow)


def _ordinary(data: bytes, form: int, limit: int, grow: Grow) -> bytes | None:
    """The content when it is small and there is nothing else; None when a closer look is needed."""
    member = zlib.decompressobj(form)
    try:
        content = member.decompress(data, min(_ORDINARY, limit))
    except zlib.error:
        return None
    if not member.eof or member.unused_data:
        return None
    grow(len(content))
    return content


def _inflated(name: str, data: bytes, limit: int, grow: Grow) -> bytes:
    form = _GZIP if name == "gzip" else _ZLIB
    out = bytearray()
    member, members = zlib.decompressobj(form), 1
    for at in range(0, len(data), _PIECE):
        pending, more = data[at : at + _PIECE], False
        while pending or more:
            if member.eof:
                # Members may be padded with zeros.
                pending = pending.lstrip(b"\0")
                if not pending:
                    break
                if name == "deflate":
                    raise MalformedBody("something follows the deflate body")
                member, members = zlib.decompressobj(form), _one_more(members)
            try:
                content = member.decompress(pending, _STEP)
            except zlib.error as error:
                raise MalformedBody(f"the body is not valid {name}") from error
            pending = member.unused_data if member.eof else member.unconsumed_tail
            more = len(content) == _STEP and not member.eof
            out += content
            _check(out, limit, grow, content)
    if not member.eof:
        raise MalformedBody(f"the {name} body is cut off")
    return bytes(out)


def unzstd(data: bytes, limit: int, grow: Grow) -> bytes:
    """The content of a zstd body of one or more frames. Raises as `gunzip` does."""
    decoder = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW)
    out = bytearray()
    frame, frames = decoder.decompressobj(write_size=_ZSTD_STEP), 1
    for at in range(0, len(data), _ZSTD_PIECE):
        pending = data[at : at + _ZSTD_PIECE]
        while pending:
            if frame.eof:
                frame, frames = decoder.decompressobj(write_size=_ZSTD_STEP), _one_more(frames)
            try:
                content = frame.decompress(pending)
            except zstandard.ZstdError as error:
                raise MalformedBody("the body is not valid zstd") from error
            pending = frame.unused_data if frame.eof else b""
            out += content
            _check(out, limit, grow, content)
    if not frame.eof:
        raise MalformedBody("the zstd body is cut off")
    return bytes(out)


def _check(out: bytearray, limit: int, grow: Grow, content: bytes) -> None:
    if len(out) > limit:
        raise BodyTooLarge(f"the body is larger than {limit} bytes after decompression")
    if content:
        grow(len(out))


def _one_more(members: int) -> int:
    if members == _MOST_MEMBERS:
        raise MalformedBody(f"the body has more than {_MOST_MEMBERS} members")
    return members + 1


DECODERS: dict[str, Callable[[bytes, int, Grow], bytes]] = {"gzip": gunzip, "deflate": inflate, "zstd": unzstd}
