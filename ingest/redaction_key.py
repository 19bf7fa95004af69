"""The key of redaction rules that hash. It is read from a file, travels beside telemetry and is stored nowhere."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import NamedTuple

from ingest.errors import BadPolicy

_BLOCK = 64
_LEAST_BYTES, _MOST_BYTES = 16, 4096


class RedactionKey(NamedTuple):
    """The two padded keys of an HMAC-SHA256 (https://datatracker.ietf.org/doc/html/rfc2104)."""

    inner: bytes
    outer: bytes

    def __repr__(self) -> str:
        return "RedactionKey(...)"

    @classmethod
    def of(cls, key: bytes) -> RedactionKey:
        """The padded keys of a key."""
        block = (hashlib.sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
        return cls(bytes(byte ^ 0x36 for byte in block), bytes(byte ^ 0x5C for byte in block))

    @classmethod
    def read(cls, path: Path) -> RedactionKey:
        """The key in a file, without white space at its ends. Raises BadPolicy."""
        try:
            key = path.read_bytes()[: _MOST_BYTES + 1].strip()
        except OSError as error:
            raise BadPolicy(f"the redaction key file {path} cannot be read: {error.strerror}") from None
        if not _LEAST_BYTES <= len(key) <= _MOST_BYTES:
            raise BadPolicy(f"the redaction key file {path} must hold {_LEAST_BYTES} to {_MOST_BYTES} bytes")
        return cls.of(key)
