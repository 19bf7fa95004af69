"""Fuzz the decompressors: any bytes give content within the limit or an error with a status."""

from __future__ import annotations

import gzip
import random
import zlib

import atheris

with atheris.instrument_imports(include=["ingest.compression"]):
    from ingest import compression
from ingest.errors import BodyTooLarge, MalformedBody
from tests.fuzz.harness import fuzz

_LIMIT = 50_000
_DECODERS = (compression.gunzip,)


def check(data: bytes) -> None:
    """The first byte chooses the decoder, the rest is what it gets."""
    if not data:
        return
    sizes: list[int] = []
    try:
        content = _DECODERS[data[0] % len(_DECODERS)](data[1:], _LIMIT, sizes.append)
    except (MalformedBody, BodyTooLarge):
        content = b""
    assert len(content) <= _LIMIT
    # What the budget is told grows, and never by more than a step beyond the limit.
    assert sizes == sorted(sizes)
    assert not content or sizes[-1] == len(content)


def seeds() -> list[bytes]:
    """Streams of each decoder: one member and many, empty, padded, with a name, stored and squeezed, and a bomb."""
    text, noise = b"telemetry " * 300, random.Random(1).randbytes(500)
    zipped = [gzip.compress(content, level) for content in (b"", text, noise) for level in (0, 1, 9)]
    zipped += [zipped[1] + zipped[4], zipped[1] * 5 + bytes(20), gzip.compress(bytes(10 * _LIMIT))]
    zipped.append(zipped[4][:3] + b"\x08" + zipped[4][4:10] + b"name\0" + zipped[4][10:])
    inflated = [zlib.compress(content) for content in (b"", text, noise, bytes(10 * _LIMIT))]
    return [bytes((n,)) + stream for n in range(len(_DECODERS)) for stream in (*zipped, *inflated)]


if __name__ == "__main__":
    fuzz("compression", check, seeds())
