"""Making, listing and revoking keys, and who may do so.

Administrators of a tenant handle its keys. Those of the installation's own tenant handle everybody's: that is how a
tenant gets its first one.
"""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass

from api.access import secret
from api.access.access import Access
from api.access.scopes import Principal, Scope
from api.errors import BadParameter, Conflict, NotFound
from ingest.errors import Forbidden
from store import keys
from store.keys import StoredKey

MOST_OF_A_TENANT = 1000
_making = threading.Lock()


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made; `expires` in milliseconds since the epoch."""

    name: str
    tenant: str
    scopes: tuple[Scope, ...]
    expires: int | None = None


def fresh(wanted: Wanted, who: str) -> tuple[str, StoredKey]:
    """A new key, and what is stored of it."""
    text = secret.make()
    stored = StoredKey(
        id=secrets.token_hex(8),
        hash=secret.hashed(text),
        shown=secret.shown(text),
        name=wanted.name,
        tenant=wanted.tenant,
        scopes=tuple(scope.value for scope in wanted.scopes),
        created=time.time_ns() // 1_000_000,
        created_by=who,
        expires=wanted.expires,
    )
    return text, stored


@dataclass(frozen=True, slots=True)
class KeyDesk:
    """What one administrator can do about keys."""

    access: Access
    who: Principal

    def make(self, wanted: Wanted) -> tuple[str, StoredKey]:
        """The key, which is told once and never again, and what is stored of it.

        Raises Forbidden for another's tenant, BadParameter for a time that has passed, Conflict.
        """
        self._refuse_foreign(wanted.tenant)
        if wanted.expires is not None and wanted.expires <= time.time() * 1000:
            raise BadParameter("expires_at", "is in the past")
        with _making:
            self._refuse_lockout(wanted)
            of_tenant = [key for key in self.access.keys.all if key.tenant == wanted.tenant and key.revoked is None]
            if len(of_tenant) >= MOST_OF_A_TENANT:
                raise Conflict(f"the tenant has {len(of_tenant)} keys; revoke some first")
            if keys.named(of_tenant, wanted.tenant, wanted.name) is not None:
                raise Conflict(f"there is a key named {wanted.name!r} already; revoke it first or choose another name")
            text, stored = fresh(wanted, self.who.name)
            keys.save(self.access.store, stored)
            self.access.keys.refresh()
        return text, stored

    def list(self, tenant: str = "") -> list[StoredKey]:
        """Keys of a tenant, or of all that this administrator handles, oldest first. Raises Forbidden."""
        if tenant:
            self._refuse_foreign(tenant)
        return [key for key in self.access.keys.all if self._handles(key.tenant) and tenant in ("", key.tenant)]

    def revoke(self, key_id: str) -> StoredKey:
        """The key, revoked. Raises NotFound, or Conflict for the last one that could make others."""
        with _making:
            self.access.keys.refresh()
            found = next((key for key in self.list() if key.id == key_id), None)
            if found is None:
                raise NotFound(f"there is no key {key_id[:100]!r}")
            if found.created_by == "file":
                raise Conflict("this key is in the keys file: take it out there")
            if found.revoked is None and self._is_last_admin(found):
                raise Conflict("this is the last key that can make others: make another one first")
            gone = keys.revoke(self.access.store, found, self.who.name)
            self.access.keys.refresh()
        return gone

    def _handles(self, tenant: str) -> bool:
        return self.who.tenant in (tenant, self.access.home)

    def _refuse_foreign(self, tenant: str) -> None:
        if not self._handles(tenant):
            raise Forbidden("the access key handles keys of its own tenant only")

    def _refuse_lockout(self, wanted: Wanted) -> None:
        if self.access.on:
            return
        if Scope.ADMIN not in wanted.scopes or wanted.tenant != self.access.home or wanted.expires is not None:
            raise Conflict(
                "the first key must have the scope admin, be of the installation's own tenant and not expire: with it "
                "requests begin to need a key, and nobody could make another one"
            )

    def _is_last_admin(self, key: StoredKey) -> bool:
        def makes_keys(other: StoredKey) -> bool:
            return (
                other.tenant == self.access.home and Scope.ADMIN in other.scopes
                and other.revoked is None and other.expires is None
            )  # fmt: skip

        return makes_keys(key) and sum(map(makes_keys, self.access.keys.all)) == 1
