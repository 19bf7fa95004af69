"""What a key or a person may do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """One kind of use. Ingest stands alone; each of the others includes those before it."""

    INGEST = "ingest"
    QUERY = "query"
    OPERATE = "operate"
    ADMIN = "admin"


_INCLUDES = {
    Scope.INGEST: frozenset({Scope.INGEST}),
    Scope.QUERY: frozenset({Scope.QUERY}),
    Scope.OPERATE: frozenset({Scope.QUERY, Scope.OPERATE}),
    Scope.ADMIN: frozenset({Scope.QUERY, Scope.OPERATE, Scope.ADMIN}),
}


def granted(scopes: Iterable[str]) -> frozenset[Scope]:
    """The scopes and all that they include. Raises ValueError for one that there is not."""
    return frozenset().union(*(_INCLUDES[Scope(scope)] for scope in scopes))


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request: a key, a person, a certificate, or anybody on this machine while there are no keys.

    `id` tells one from another for limits ('' while there are no keys); `expires` is in seconds since the epoch.
    """

    name: str
    tenant: str
    scopes: frozenset[Scope]
    id: str = ""
    expires: float | None = None

    def may(self, scope: Scope) -> bool:
        """Whether this is allowed."""
        return scope in self.scopes


def local(tenant: str) -> Principal:
    """Anybody on this machine, who may do everything."""
    return Principal("anonymous", tenant, frozenset(Scope))
