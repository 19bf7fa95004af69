"""`causeline migrate`: bring a store's tables, and a server's users, to this version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.commands.options import DataOption
from api.errors import UsageError
from api.settings import Settings
from store import Store, StoreSettings, users
from store import migrate as migrations
from store.errors import StoreError
from store.settings import Home

_ROLES = ("migrate", "ingest", "query")


def migrate(
    url: Annotated[
        str | None,
        typer.Option(
            "--url", envvar="CAUSELINE_STORE__URL", help="ClickHouse server URL; the embedded store unless given."
        ),
    ] = None,
    data: DataOption = None,
    plan: Annotated[
        bool, typer.Option("--plan", envvar="CAUSELINE_PLAN", help="Print the SQL that would run, and run nothing.")
    ] = False,
    users_from: Annotated[
        Path | None,
        typer.Option(
            "--users",
            envvar="CAUSELINE_USERS",
            help="Folder with files migrate, ingest and query that hold passwords: create the server's users instead.",
        ),
    ] = None,
    xml: Annotated[
        bool, typer.Option("--xml", envvar="CAUSELINE_XML", help="With --users: print a file for users.d instead.")
    ] = False,
) -> None:
    """Apply the migrations a store lacks. `causeline up` does this by itself."""
    try:
        store = Store.open(_settings(url, data))
        try:
            if users_from is not None:
                typer.echo(_users(store, users_from, plan=plan, xml=xml))
            elif plan:
                typer.echo(";\n\n".join(migrations.plan(store)) or "nothing to apply")
            else:
                typer.echo("\n".join(f"applied {name}" for name in migrations.apply(store)) or "nothing to apply")
        finally:
            store.close()
    except StoreError as error:
        raise UsageError(str(error)) from error


def _settings(url: str | None, data: Path | None) -> StoreSettings:
    """Those of the environment, at the URL given."""
    given: dict[str, Any] = {"data": data, "store": {"url": url} if url else None}
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None}).store_settings
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def _users(store: Store, folder: Path, *, plan: bool, xml: bool) -> str:
    if store.home is Home.EMBEDDED:
        raise UsageError("the embedded engine has no users: give --url")
    try:
        passwords = {role: (folder / role).read_text(encoding="utf-8").strip() for role in _ROLES}
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    if xml:
        return users.as_xml(store, passwords).rstrip()
    if plan:
        return ";\n\n".join(users.statements(store, passwords))
    return "\n".join(f"created or changed {name}" for name in users.create(store, passwords))
