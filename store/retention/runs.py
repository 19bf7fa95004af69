"""Runs of retention that people ask for: whoever answers them writes a row, and a worker finds it.

Rows are everybody's: a run goes through all tenants.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass

from store.client import Store
from store.errors import BadRetention

_EVERYBODY = ""
_MOST = 100


@dataclass(frozen=True, slots=True)
class Run:
    """A run and how it ended: asked, done or failed; `asked` in nanoseconds."""

    id: str
    state: str
    who: str
    removed: int
    error: str
    asked: int


def ask(store: Store, who: str) -> Run:
    """Ask for a run. Raises StoreError."""
    identifier = uuid.uuid4().hex
    end(store, identifier, "asked", who=who)
    return load(store, identifier)


def end(store: Store, identifier: str, state: str, *, who: str = "", removed: int = 0, error: str = "") -> None:
    """Say what became of a run. Raises StoreError."""
    whole, rest = divmod(time.time_ns() // 1000, 1_000_000)
    row = {
        "Tenant": _EVERYBODY, "RunId": identifier, "State": state, "Who": who, "Removed": removed, "Error": error,
        "At": f"{whole}.{rest:06d}",
    }  # fmt: skip
    store.insert_bytes("retention_runs", json.dumps(row).encode(), "JSONEachRow", {"async_insert": 0})


def load(store: Store, identifier: str) -> Run:
    """One run. Raises BadRetention when there is none of that id."""
    found = _listed(store, identifier) if identifier else []
    if not found:
        raise BadRetention(f"there is no run {identifier!r}")
    return found[0]


def asked(store: Store) -> list[Run]:
    """Runs that are not done, oldest first. Raises StoreError."""
    return [run for run in reversed(_listed(store, "")) if run.state == "asked"]


def _listed(store: Store, identifier: str) -> list[Run]:
    params = {"tenant": _EVERYBODY, "id": identifier, "limit": _MOST}
    return [Run(**row) for row in store.rows("retention_runs", params)]
