"""Keyset cursors: opaque to clients, the last row's sort key inside."""

from __future__ import annotations

import base64
import json
from typing import NamedTuple

from api.errors import BadParameter


class Key(NamedTuple):
    """Sort key of an incident: start in nanoseconds, then id."""

    started: int
    incident_id: str


def encode_cursor(key: Key) -> str:
    """The cursor that continues after `key`."""
    return base64.urlsafe_b64encode(json.dumps(key, separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(text: str) -> Key:
    """The key inside a cursor. Raises BadParameter when it was not made by `encode_cursor`."""
    try:
        started, incident_id = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError) as error:
        raise BadParameter("cursor", "not a cursor that this API handed out") from error
    if not isinstance(started, int) or not isinstance(incident_id, str) or abs(started) >= 2**63:
        raise BadParameter("cursor", "not a cursor that this API handed out")
    return Key(started, incident_id)
