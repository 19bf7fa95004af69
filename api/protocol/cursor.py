"""Keyset cursors: opaque to clients, the last row's sort key inside, and only good for the query that made them.

A cursor carries a digest of what was asked and of whose data it was. With another tenant's cursor, or after a filter
was changed, a page would silently miss or repeat rows; so such a cursor is refused. It is no secret and guards nothing:
the tenant of a page always comes from the request.
"""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any, NamedTuple

from api.errors import BadParameter

_REFUSED = "not a cursor that this API handed out for this query"
_INT64 = 2**63


class Key(NamedTuple):
    """Sort key of an incident: start in nanoseconds, then id."""

    started: int
    incident_id: str


def scope(*asked: Any) -> str:
    """A digest of what a query asks: tenant, endpoint and every filter, in a fixed order."""
    return hashlib.blake2b(json.dumps(asked, default=str).encode("utf-8", "replace"), digest_size=6).hexdigest()


def encode_cursor(key: tuple[int | str, ...], of: str = "") -> str:
    """The cursor that continues after `key` in the query with the digest `of`."""
    text = json.dumps([of, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_key(text: str, of: str, kinds: tuple[type, ...]) -> tuple[Any, ...]:
    """The key inside a cursor of the query `of`, with parts of these types.

    Raises BadParameter when it is none, or another query's.
    """
    try:
        made_for, *key = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except (ValueError, TypeError) as error:
        raise BadParameter("cursor", _REFUSED) from error
    if made_for != of or len(key) != len(kinds):
        raise BadParameter("cursor", _REFUSED)
    for part, kind in zip(key, kinds, strict=True):
        if type(part) is not kind or (isinstance(part, int) and not -_INT64 < part < _INT64 * 2):
            raise BadParameter("cursor", _REFUSED)
    return tuple(key)


def decode_cursor(text: str, of: str = "") -> Key:
    """The incident's key inside a cursor. Raises BadParameter when it was not made by `encode_cursor` for `of`."""
    key = Key(*decode_key(text, of, (int, str)))
    if abs(key.started) >= _INT64:
        raise BadParameter("cursor", _REFUSED)
    return key
