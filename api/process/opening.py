"""Access as the settings want it."""

from __future__ import annotations

from api.access.access import Access
from api.access.oidc import People
from api.access.roles import Roles
from api.errors import BadAccess, UnsafeHost
from api.settings import LOOPBACK, Settings
from store import Store


def opened(store: Store, settings: Settings) -> Access:
    """Access over a store, not started yet. Raises BadAccess for settings that do not go together."""
    people = None
    if settings.oidc is not None:
        if settings.roles is None:
            raise BadAccess("an OpenID Connect provider needs a file of roles (CAUSELINE_ROLES): see docs/access.md")
        people = People(settings.oidc, Roles(settings.roles))
    return Access(store, settings.tenant, required=settings.require_keys, keys_file=settings.keys_file, people=people)


def refuse_exposure(host: str, access: Access) -> None:
    """Raises UnsafeHost for an address beyond loopback while requests need no key."""
    if host not in LOOPBACK and not access.on:
        raise UnsafeHost(
            f"refusing to listen on {host}: without access keys anyone who reaches it could read and write telemetry; "
            "make one with `causeline keys create --first`, or use 127.0.0.1"
        )
