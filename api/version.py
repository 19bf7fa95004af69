"""Which Causeline this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed


def version() -> str:
    """The installed distribution's version, or `unknown` when run from a bare checkout."""
    try:
        return installed("causeline")
    except PackageNotFoundError:
        return "unknown"
