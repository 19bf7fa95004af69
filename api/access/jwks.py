"""A provider's public keys: fetched when needed, kept for minutes, and never more or more often than is good."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import httpx
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry, KeySet, RSAKey

from ingest.errors import Overloaded

_log = logging.getLogger(__name__)
# A key that the provider has withdrawn is good for no longer than this.
_FRESH_S = 300.0
# A provider that is away does not lock everybody out at once.
_STALE_S = 3600.0
# Tokens that name keys nobody has do not make us ask more often than this.
_PAUSE_S = 5.0
_TIMEOUT_S = 5.0
_LARGEST = 256 * 1024
_MOST_KEYS = 50
# Those with a shared secret among them would turn a public key into one.
_KINDS = frozenset({"RSA", "EC", "OKP"})
_LEAST_RSA_BITS = 2048
_DISCOVERY = "/.well-known/openid-configuration"


class KeySource:
    """Keys of one issuer. Safe to use from any thread; it may wait for the provider."""

    def __init__(self, issuer: str, url: str = "") -> None:
        self._issuer = issuer
        self._url = url
        self._keys = KeySet([])
        self._fetched = -_STALE_S
        self._tried = -_PAUSE_S
        self._lock = threading.Lock()

    def for_token(self, token: Any) -> Any:
        """The key that a token names. Raises InvalidKeyIdError, or Overloaded when the provider cannot be asked."""
        kid = token.headers().get("kid")
        if time.monotonic() - self._fetched > _FRESH_S:
            self._fetch()
        found = self._find(kid)
        if found is None:
            # The provider may have changed its keys a moment ago.
            self._fetch()
            found = self._find(kid)
        if found is None:
            raise InvalidKeyIdError("no key of that id")
        return found

    def _find(self, kid: Any) -> Any:
        if time.monotonic() - self._fetched > _STALE_S:
            raise Overloaded("the provider's keys cannot be fetched; try again soon")
        try:
            return self._keys.get_by_kid(kid)
        except InvalidKeyIdError:
            return None

    def _fetch(self) -> None:
        """Ask the provider, unless that was done a moment ago."""
        with self._lock:
            if time.monotonic() - self._tried < _PAUSE_S:
                return
            try:
                keys = _imported(_document(self._url or self._discovered()))
            except (httpx.HTTPError, JoseError, ValueError, TypeError, KeyError) as error:
                _log.warning("the keys of %s cannot be fetched: %s", self._issuer, error)
            else:
                self._keys, self._fetched = keys, time.monotonic()
            finally:
                self._tried = time.monotonic()

    def _discovered(self) -> str:
        found = _document(self._issuer.rstrip("/") + _DISCOVERY)
        if found.get("issuer") != self._issuer:
            raise ValueError("the discovery document is of another issuer")
        url = str(found["jwks_uri"])
        if self._issuer.startswith("https://") and not url.startswith("https://"):
            raise ValueError("the keys of an https issuer must be at an https address")
        return url


def _document(url: str) -> dict[str, Any]:
    """A JSON object, of at most a size, within a time. Raises httpx.HTTPError or ValueError."""
    deadline = time.monotonic() + _TIMEOUT_S
    with httpx.stream("GET", url, timeout=_TIMEOUT_S, headers={"Accept": "application/json"}) as answer:
        answer.raise_for_status()
        body = b""
        for chunk in answer.iter_bytes():
            body += chunk
            if len(body) > _LARGEST or time.monotonic() > deadline:
                raise ValueError("the answer is too large or too slow")
    found = httpx.Response(200, content=body).json()
    if not isinstance(found, dict):
        raise TypeError("the answer is no JSON object")
    return found


def _imported(document: dict[str, Any]) -> KeySet:
    """Keys that can prove a signature; others that a provider publishes are left out."""
    keys = []
    for each in document["keys"][:_MOST_KEYS]:
        if each.get("kty") not in _KINDS or each.get("use", "sig") != "sig":
            continue
        try:
            key = JWKRegistry.import_key(each)
        except (JoseError, ValueError):
            continue
        if isinstance(key, RSAKey) and key.raw_value.key_size < _LEAST_RSA_BITS:
            continue
        keys.append(key)
    if not keys:
        raise ValueError("there is no key for signatures")
    return KeySet(keys)
