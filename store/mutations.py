"""Statements that rewrite parts in the background: start one, and wait until it is done everywhere.

A mutation rewrites the parts in which its condition finds rows, and leaves all others and all inserts alone.
"""

from __future__ import annotations

import time

from store import sql
from store.client import Params, Store
from store.cluster import divided
from store.errors import MutationFailed
from store.migrate import render, strip_comments
from store.settings import Home

_POLL_S = 0.1
_SLOWEST_POLL_S = 5.0
# So many looks in a row a mutation may fail before it is given up: one try may be in want of memory or disk.
_PATIENCE = 20


def named(store: Store, name: str, table: str = "") -> str:
    """Text of a named statement about `table`, ready to be run."""
    return filled(store, sql.load(name), table)


def filled(store: Store, text: str, table: str = "") -> str:
    """The same for a text composed in this package.

    A cluster's layout reads names of tables in statements that change them, so they cannot be parameters; only those of
    migrations pass. In a cluster system tables are those of all its nodes. Raises ValueError.
    """
    if "{table:Identifier}" in text:
        if table not in divided():
            raise ValueError(f"{table!r} is no table that keeps rows")
        text = text.replace("{table:Identifier}", table)
    for about in ("parts", "mutations", "detached_parts"):
        text = text.replace(f"${{system.{about}}}", _everywhere(store, about))
    if store.home is Home.CLUSTER:
        text = text.replace("currentDatabase()", f"'{store.settings.database}'")
    return render(strip_comments(text))


def _everywhere(store: Store, table: str) -> str:
    if store.home is Home.CLUSTER:
        return f"clusterAllReplicas(`{store.settings.cluster}`, system.{table})"
    return f"system.{table}"


def change(store: Store, name: str, params: Params, table: str = "") -> None:
    """Run a named statement about `table` that is done when it returns."""
    store.command(named(store, name, table), params)


def mutate(store: Store, table: str, statement: str, params: Params) -> None:
    """Run a mutation of `table` and return when it, and every other of that table, is done.

    `statement` is text with placeholders. Raises MutationFailed when the engine cannot do it; it is given up then,
    because a mutation that fails keeps all later ones of its table waiting. However long it takes, it is waited for:
    a process that dies meanwhile leaves it to the engine.
    """
    store.command(filled(store, statement, table), params, {"mutations_sync": 0})
    wait(store, table)


def wait(store: Store, table: str) -> None:
    """Return when no mutation of `table` is under way. Raises MutationFailed."""
    failures: dict[str, int] = {}
    pause = _POLL_S
    while unfinished := store.page(named(store, "mutations_unfinished"), {"table": table}):
        for row in unfinished:
            identifier, reason = str(row["id"]), str(row["reason"])
            failures[identifier] = failures.get(identifier, 0) + 1 if reason else 0
            if failures[identifier] > _PATIENCE:
                _kill(store, table, identifier)
                raise MutationFailed(f"a change of {table} failed and was given up: {reason[:300]}")
        time.sleep(pause)
        pause = min(pause * 1.5, _SLOWEST_POLL_S)


def _kill(store: Store, table: str, identifier: str) -> None:
    clause = store.layout.clause if store.layout else ""
    text = filled(store, sql.load("mutation_kill")).replace("KILL MUTATION", f"KILL MUTATION{clause}", 1)
    store.command(text, {"table": table, "id": identifier})
