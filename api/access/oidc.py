"""People, by the tokens of an OpenID Connect provider: signed, for us, of now, and by an algorithm we chose.

What a token says is believed only when its signature is by a key that the provider publishes; which algorithms will
do is a setting, never the token's own word (RFC 8725). Secrets that sign (HS256) and none at all are not to be had.
"""

from __future__ import annotations

import time
from typing import Any, Literal
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from pydantic import BaseModel, ConfigDict, Field, field_validator

from api.access.jwks import KeySource
from api.access.roles import Roles
from api.access.scopes import Principal
from ingest.errors import Forbidden, Unauthenticated

Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519"]
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_LARGEST_TOKEN = 16 * 1024
_LONGEST_NAME = 100


class OidcSettings(BaseModel):
    """An OpenID Connect provider whose tokens people may use as they use keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: str = Field(description="The provider, exactly as its tokens have it in `iss`.")
    audience: str = Field(min_length=1, description="What tokens for this system have in `aud`.")
    jwks_url: str = Field(default="", description="Where its keys are; found by the issuer's discovery unless given.")
    algorithms: tuple[Algorithm, ...] = Field(
        default=("RS256", "ES256", "EdDSA"), min_length=1, description="Signatures that will do, as a JSON list."
    )
    leeway_s: int = Field(default=30, ge=0, le=300, description="How far clocks may differ, in seconds.")
    name_claim: str = Field(
        default="email", min_length=1, description="What people are called in histories; their `sub` without it."
    )

    @field_validator("issuer", "jwks_url")
    @classmethod
    def _secure(cls, url: str) -> str:
        parts = urlsplit(url)
        if url and not (parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)):
            raise ValueError("must be an https:// address")
        return url


class People:
    """Tells who holds a token, and what the roles file lets them do. Safe to use from any thread; it may wait."""

    def __init__(self, settings: OidcSettings, roles: Roles) -> None:
        self._settings = settings
        self._roles = roles
        self._keys = KeySource(settings.issuer, settings.jwks_url)

    def holder(self, token: str) -> Principal:
        """Whose token this is. Raises Unauthenticated, or Forbidden for somebody without a role."""
        claims = self._claims(token)
        granted = self._roles.current().granted(claims)
        if granted is None:
            raise Forbidden("no role of this system is yours: ask its administrators")
        subject = str(claims["sub"])
        return Principal(
            name=self._name(claims, subject),
            tenant=granted.tenant,
            scopes=granted.scopes,
            id=f"person:{subject}",
            expires=float(claims["exp"]) + self._settings.leeway_s,
        )

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > _LARGEST_TOKEN or token.count(".") != 2:
            raise Unauthenticated("the token is none of OpenID Connect")
        settings = self._settings
        registry = jwt.JWTClaimsRegistry(
            now=int(time.time()),
            leeway=settings.leeway_s,
            iss={"essential": True, "value": settings.issuer},
            aud={"essential": True, "value": settings.audience},
            exp={"essential": True},
            sub={"essential": True, "allow_blank": False},
        )
        try:
            found = jwt.decode(token, self._keys.for_token, algorithms=list(settings.algorithms))
            registry.validate(found.claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            # The library's words name a claim or a header, never a value.
            raise Unauthenticated(f"the token will not do: {getattr(error, 'error', 'it cannot be read')}") from None
        return dict(found.claims)

    def _name(self, claims: dict[str, Any], subject: str) -> str:
        named = claims.get(self._settings.name_claim)
        unproven = self._settings.name_claim == "email" and claims.get("email_verified") is False
        name = named if isinstance(named, str) and named and not unproven else subject
        return "".join(letter for letter in name if letter.isprintable())[:_LONGEST_NAME]
