"""Why a receiver cannot take telemetry, or not as well as it should."""

from __future__ import annotations

from typing import NamedTuple


class Reason(NamedTuple):
    """A code for programs, a sentence for people, and whether telemetry is refused because of it."""

    code: str
    message: str
    blocks: bool
