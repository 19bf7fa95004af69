"""Lines of a recorded file, plain or compressed, with their numbers."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import pyarrow as pa

from api.errors import UnreadableFile

_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


class Line(NamedTuple):
    """One line: its file, its number from 1, its bytes, and how far into the file (0..1) it lies."""

    path: Path
    number: int
    data: bytes
    share: float


def read_lines(path: Path) -> Iterator[Line]:
    """Non-blank lines of `path`; gzip and Zstandard are told by their first bytes, not by the name.

    Raises UnreadableFile, naming the line that could not be read, when the file is missing,
    damaged or cut off.
    """
    number = 0
    try:
        size = max(path.stat().st_size, 1)
        with path.open("rb") as raw, _decompressed(raw) as stream:
            for data in stream:
                number += 1
                if not data.isspace():
                    yield Line(path, number, data, min(raw.tell() / size, 1.0))
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{path}:{number + 1}: {reason}") from error


def _decompressed(raw: BinaryIO) -> BinaryIO:
    magic = raw.read(4)
    raw.seek(0)
    if magic.startswith(_GZIP):
        return cast("BinaryIO", gzip.GzipFile(fileobj=raw))
    if magic == _ZSTD:
        stream = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), "zstd")
        return cast("BinaryIO", io.BufferedReader(cast("io.RawIOBase", stream), buffer_size=1 << 20))
    return raw
