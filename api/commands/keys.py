"""`causeline keys`: make, list and revoke access keys."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from api.access.desk import Wanted, fresh
from api.access.scopes import Scope
from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, DataOption, KeyFile, key_in, out
from api.errors import UsageError
from api.process.running import settings_of
from store import Store, StoreSettings, awaiting
from store import keys as stored
from store import migrate as migrations
from store.errors import StoreError
from store.settings import Home

_FIRST = "admin"


class Action(StrEnum):
    """What can be done about keys."""

    CREATE = "create"
    LIST = "list"
    REVOKE = "revoke"


def keys(
    action: Annotated[Action, typer.Argument(metavar="ACTION", help="create, list or revoke.")],
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME|ID]", help="The new key's name, or the id of the one to revoke.")
    ] = None,
    scope: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="ingest, query, operate (includes query) or admin (includes both); repeatable."),
    ] = None,
    tenant: Annotated[
        str | None, typer.Option("--tenant", help="Whose telemetry it is for; the asking key's tenant unless given.")
    ] = None,
    expires: Annotated[
        str | None, typer.Option("--expires", metavar="TIME", help="RFC 3339 or unix seconds; never unless given.")
    ] = None,
    write_to: Annotated[
        Path | None, typer.Option("--output", help="New file for the key, readable by its owner; else it is printed.")
    ] = None,
    first: Annotated[
        bool, typer.Option("--first", help="Make the first key, with scope admin, in a store that has none yet.")
    ] = False,
    url: Annotated[
        str | None, typer.Option("--url", envvar="CAUSELINE_STORE__URL", help="With --first: ClickHouse server's URL.")
    ] = None,
    data: DataOption = None,
    api: ApiUrl = API_DEFAULT,
    key_file: KeyFile = None,
) -> None:
    """Make, list and revoke access keys. A key is told once, when it is made; only its hash is kept.

    `create NAME --scope ingest`, `list` and `revoke ID` ask the running system, with an administrator's key.
    `create --first` writes into the store itself, before the system starts: an embedded store belongs to one process.
    """
    write_to = write_to and write_to.absolute()
    if action is Action.CREATE and first:
        settings = settings_of({"data": data and data.absolute()}, url)
        _tell(_first(what or _FIRST, tenant or settings.tenant, settings.store_settings), write_to)
        return
    with ApiClient(api, key_in(key_file)) as client:
        if action is Action.CREATE:
            wanted = {"name": _needed(what, "a name"), "scopes": [each.value for each in scope or ()]}
            if not scope:
                raise UsageError("say with --scope what the key is for: ingest, query, operate or admin")
            given = {"tenant": tenant, "expires_at": expires}
            made = client.make_key(wanted | {name: value for name, value in given.items() if value is not None})
            _tell(made["key"], write_to)
        elif action is Action.LIST:
            _print(client.keys(tenant or ""))
        else:
            gone = client.revoke_key(_needed(what, "the key's id"))
            typer.echo(f"revoked {gone['id']} ({gone['name']} of {gone['tenant']})")


def _first(name: str, tenant: str, settings: StoreSettings) -> str:
    """Put the first key into a store. Raises UsageError when there is one, or the store is in use."""
    embedded = settings.home is Home.EMBEDDED
    if embedded:
        settings.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        # The embedded engine leaves its cache of format schemas where it runs.
        os.chdir(settings.path)
    try:
        store = Store.open(settings)
        try:
            if embedded:
                migrations.apply(store)
            else:
                # A server's tables are for `causeline migrate`: whoever makes keys may not be allowed to.
                awaiting.tables(store, within_s=0)
            if any(key.revoked is None for key in stored.all_keys(store)):
                raise UsageError("there are keys already: make more with one that has the scope admin")
            text, key = fresh(Wanted(name, tenant, (Scope.ADMIN,)), "the command line")
            stored.save(store, key)
        finally:
            store.close()
    except StoreError as error:
        raise UsageError(str(error)) from error
    return text


def _tell(key: str, path: Path | None) -> None:
    if path is None:
        typer.echo(key)
        return
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(f"{key}\n")
    except OSError as error:
        typer.echo(key)
        raise UsageError(f"{path} cannot be written ({error.strerror}); the key is on standard output") from error
    typer.echo(f"the key is in {path}")


def _needed(value: str | None, what: str) -> str:
    if not value:
        raise UsageError(f"{what} is needed for this")
    return value


def _print(found: list[dict[str, Any]]) -> None:
    if not found:
        typer.echo("no keys")
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    columns = ("id", "name", "tenant", "scopes", "shown", "created_at", "expires_at", "revoked_at")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in found:
        values = (", ".join(row[name]) if name == "scopes" else str(row[name] or "") for name in columns)
        table.add_row(*values)
    out().print(table)
