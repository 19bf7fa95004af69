"""Keys as text: made, hashed, read from a header, and told from what is no secret."""

from __future__ import annotations

import hashlib
import re
import secrets
from urllib.parse import parse_qsl

from ingest.errors import Unauthenticated

_PREFIX = "clk_"
_SHOWN = len(_PREFIX) + 6
_BEARER = re.compile(r"^bearer ([A-Za-z0-9._~+/-]+=*)$", re.IGNORECASE | re.ASCII)
_OURS = re.compile(r"clk_[A-Za-z0-9_-]{43}", re.ASCII)
# Parameters in which other systems take keys.
_NAMES_OF_KEYS = frozenset({"access_token", "api_key", "api-key", "apikey", "authorization", "x-api-key"})
_LEAST_LENGTH = 32
_LEAST_VARIETY = 10
_DEFAULTS = re.compile(
    r"change.?me|password|example|secret|default|replace.?(me|this)|your.?key|insert.?key|dummy", re.I
)


def make() -> str:
    """A new key: 256 random bits behind a prefix by which scanners of secrets find it."""
    return _PREFIX + secrets.token_urlsafe(32)


def hashed(key: str) -> str:
    """SHA-256 in hexadecimal. The keys are random and long, so that a slow hash with salt would add nothing."""
    return hashlib.sha256(key.encode()).hexdigest()


def shown(key: str) -> str:
    """The beginning by which people tell keys apart; what is left of ours has 220 bits."""
    return key[:_SHOWN] if _OURS.fullmatch(key) else ""


def bearer(header: str) -> str:
    """The token of an Authorization header. Raises Unauthenticated, never repeating what came."""
    if not header:
        raise Unauthenticated("an access key is needed: send it as `Authorization: Bearer KEY`")
    match = _BEARER.match(header)
    if match is None:
        raise Unauthenticated("the Authorization header must be `Bearer KEY`: one space, one key")
    return match[1]


def refuse_in_url(path: str, query: bytes) -> None:
    """Raises Unauthenticated for a key in an address: it would be in logs and histories from then on."""
    text = query.decode("latin-1")
    names = {name.lower() for name, _ in parse_qsl(text, keep_blank_values=True)} if text else frozenset()
    if names & _NAMES_OF_KEYS or _OURS.search(text) or _OURS.search(path):
        raise Unauthenticated("keys in an address end up in logs: send them as a header, and revoke this one")


def masked(text: str) -> str:
    """The text without keys of ours."""
    return _OURS.sub("clk_…", text)


def weakness(secret: str) -> str:
    """Why a secret that somebody chose must not be used; '' when nothing speaks against it."""
    if not secret:
        return "it is empty"
    if len(secret) < _LEAST_LENGTH:
        return (
            f"it has {len(secret)} characters; at least {_LEAST_LENGTH} are needed (`openssl rand -hex 32` makes one)"
        )
    if not _BEARER.match(f"Bearer {secret}"):
        return "it has characters that an Authorization header cannot carry"
    if len(set(secret)) < _LEAST_VARIETY or _DEFAULTS.search(secret):
        return "it looks like a default; `openssl rand -hex 32` makes a good one"
    return ""
