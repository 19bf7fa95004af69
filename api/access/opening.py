"""Access as the settings want it."""

from __future__ import annotations

from api.access.access import Access
from api.access.oidc import People
from api.access.roles import Roles
from api.errors import BadAccess
from api.settings import Settings
from store import Store


def opened(store: Store, settings: Settings) -> Access:
    """Access over a store, not started yet. Raises BadAccess for settings that do not go together."""
    people = None
    if settings.oidc is not None:
        if settings.roles is None:
            raise BadAccess("an OpenID Connect provider needs a file of roles (CAUSELINE_ROLES): see docs/access.md")
        people = People(settings.oidc, Roles(settings.roles))
    return Access(store, settings.tenant, required=settings.require_keys, keys_file=settings.keys_file, people=people)
