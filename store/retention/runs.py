"""Runs of retention that people ask for: whoever answers them writes a row, and a worker finds it.

A run goes through all tenants, and only the tenant that asked for it hears of it.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

from store.client import Store
from store.errors import BadRetention

_MOST = 100


@dataclass(frozen=True, slots=True)
class Run:
    """A run and how it ended: asked, done or failed; `asked` in nanoseconds."""

    tenant: str
    id: str
    state: str
    who: str
    removed: int
    error: str
    asked: int


def ask(store: Store, tenant: str, who: str) -> Run:
    """Ask for a run. Raises StoreError."""
    identifier = uuid.uuid4().hex
    end(store, tenant, identifier, "asked", who=who)
    return load(store, tenant, identifier)


def end(
    store: Store, tenant: str, identifier: str, state: str, *, who: str = "", removed: int = 0, error: str = ""
) -> None:  # fmt: skip
    """Say what became of a run. Raises StoreError."""
    whole, rest = divmod(time.time_ns() // 1000, 1_000_000)
    row = {
        "Tenant": tenant, "RunId": identifier, "State": state, "Who": who, "Removed": removed, "Error": error,
        "At": f"{whole}.{rest:06d}",
    }  # fmt: skip
    store.insert_bytes("retention_runs", json.dumps(row).encode(), "JSONEachRow", {"async_insert": 0})


def load(store: Store, tenant: str, identifier: str) -> Run:
    """One run that the tenant asked for. Raises BadRetention when there is none of that id."""
    found = store.rows("retention_run", {"tenant": tenant, "id": identifier})
    if not found:
        raise BadRetention(f"there is no run {identifier!r}")
    return Run(**found[0])


def asked(store: Store) -> list[Run]:
    """Runs of any tenant that are not done, oldest first. Raises StoreError."""
    return [Run(**row) for row in store.rows("retention_runs_asked", {"limit": _MOST})]
