"""Fuzz the decompressors: any bytes give content within the limit or an error with a status."""

from __future__ import annotations

import gzip
import random
import zlib

import atheris
import cramjam
import zstandard

with atheris.instrument_imports(include=["ingest.compression", "ingest.snappy"]):
    from ingest import compression, snappy
from ingest.errors import BodyTooLarge, MalformedBody
from tests.fuzz.harness import fuzz

_LIMIT = 50_000
_DECODERS = (*compression.DECODERS.values(), snappy.unsnap)


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
    # What the budget is told only grows, and is right in the end.
    assert sizes == sorted(sizes)
    assert not content or sizes[-1] == len(content)


def seeds() -> list[bytes]:
    """Streams of each decoder: one member and many, empty, padded, with a name, stored and squeezed, and a bomb."""
    text, noise = b"telemetry " * 300, random.Random(1).randbytes(500)
    contents = (b"", text, noise, bytes(10 * _LIMIT))
    zipped = [
        gzip.compress(content, level) for content in contents for level in (0, 1, 9) if level or len(content) < 999
    ]
    zipped += [zipped[1] + zipped[4], zipped[1] * 5 + bytes(20)]
    zipped.append(zipped[4][:3] + b"\x08" + zipped[4][4:10] + b"name\0" + zipped[4][10:])
    inflated = [zlib.compress(content) for content in contents]
    inflated += [zlib.compress(text, wbits=-15)]
    squeezed = [zstandard.compress(content) for content in contents]
    squeezed += [squeezed[1] + squeezed[2], zstandard.ZstdCompressor(write_checksum=True).compress(text)]
    snapped = [bytes(cramjam.snappy.compress_raw(content)) for content in contents]
    streams = (zipped, inflated, squeezed, snapped)
    return [bytes((number,)) + stream for number, kind in enumerate(streams) for stream in kind if len(stream) < 4096]


if __name__ == "__main__":
    fuzz("compression", check, seeds())
