"""Waiting until somebody else has made the tables: `causeline migrate`, before or beside the process that waits."""

from __future__ import annotations

import time

from store import migrate
from store.client import Store
from store.errors import MigrationError, StoreUnavailable

_LOOK_S = 0.5


def tables(store: Store, within_s: float) -> None:
    """Return when every migration of this version is applied.

    Raises MigrationError when one is still missing after `within_s` seconds, or was edited.
    """
    deadline = time.monotonic() + within_s
    while missing := _missing(store):
        if time.monotonic() > deadline:
            raise MigrationError(f"the tables are not those of this version, {missing}: run `causeline migrate`")
        time.sleep(_LOOK_S)


def _missing(store: Store) -> str:
    try:
        waiting = migrate.pending(store)
    except StoreUnavailable:
        return "as far as a server that does not answer can tell"
    return f"{len(waiting)} migrations are missing from {waiting[0].name} on" if waiting else ""
