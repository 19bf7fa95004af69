"""A small text file that somebody wrote for us."""

from __future__ import annotations

from pathlib import Path

from api.errors import BadAccess

_LARGEST = 1 << 20


def read_text(path: Path) -> str:
    """The file's text. Raises BadAccess when it is not text, or larger than a mebibyte."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(_LARGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise BadAccess(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is not text'}") from None
    if len(text) > _LARGEST:
        raise BadAccess(f"{path} is larger than a mebibyte")
    return text
