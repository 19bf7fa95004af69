"""`causeline migrate`: bring a store's tables to this version."""

from __future__ import annotations

from typing import Annotated

import typer

from api.commands.options import DataOption
from api.errors import UsageError
from api.settings import default_data_directory
from store import Store, StoreSettings
from store import migrate as migrations
from store.errors import StoreError


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
) -> None:
    """Apply the migrations a store lacks. `causeline up` does this by itself."""

    settings = StoreSettings(url=url) if url else StoreSettings.embedded(data or default_data_directory())
    try:
        store = Store.open(settings)
        try:
            if plan:
                typer.echo(";\n\n".join(migrations.plan(store)) or "nothing to apply")
                return
            typer.echo("\n".join(f"applied {name}" for name in migrations.apply(store)) or "nothing to apply")
        finally:
            store.close()
    except StoreError as error:
        raise UsageError(str(error)) from error
