"""`causeline forget`: delete a tenant's telemetry, a trace, or what has an attribute, and see the proof."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, err, out
from api.errors import UsageError


def forget(
    tenant: Annotated[
        str, typer.Option("--tenant", help="Delete everything of this tenant, which is the one that is asked for.")
    ] = "",
    trace: Annotated[str, typer.Option("--trace", help="Delete the trace of this id.")] = "",
    attribute: Annotated[
        str,
        typer.Option(
            "--attribute",
            help="Delete what has this attribute, as KEY=VALUE; KEY=- asks for the value, so that no other program "
            "of this machine sees it.",
        ),
    ] = "",
    show: Annotated[str, typer.Option("--show", metavar="ID", help="Show a deletion that was asked for.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only count what would be deleted.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before a whole tenant is deleted.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until it is done.")] = True,
    api: ApiUrl = API_DEFAULT,
) -> None:
    """Delete for good: rows, what quotes them, and the files that held them. There is no way back.

    Prints rows before and after by table. Waiting takes about ten minutes: so long the engine keeps files of before.
    """
    if sum(map(bool, (tenant, trace, attribute, show))) != 1:
        raise UsageError("name one of --tenant, --trace, --attribute and --show")
    if attribute.endswith("=-"):
        attribute = f"{attribute[:-1]}{typer.prompt('value', hide_input=True, err=True)}"
    if tenant and not dry_run and not yes:
        typer.confirm(f"delete everything of tenant {tenant}?", abort=True, err=True)
    with ApiClient(api) as client:
        if show:
            _print(client.deletion(show))
            return
        found = client.forget({"tenant": tenant, "trace": trace, "attribute": attribute, "dry_run": dry_run})
        if wait and not dry_run:
            found = client.deleted(found["id"], _told)
        _print(found)
        if found["state"] == "failed":
            raise UsageError(f"deletion {found['id']} failed: {found['error']}")


def _told(deletion: dict[str, Any]) -> None:
    err().print(f"{deletion['state']}: {deletion['tables_done']} of {deletion['tables_total']} tables", markup=False)


def _print(deletion: dict[str, Any]) -> None:
    said = "would be deleted" if deletion["state"] == "counted" else deletion["state"]
    typer.echo(
        f"{deletion['id'] or 'dry run'}: {said}, {deletion['removed']} rows removed, {deletion['error']}".rstrip(", ")
    )
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("table", "found", "remaining"):
        table.add_column(column)
    for row in deletion["tables"]:
        if row["found"] or row["remaining"]:
            table.add_row(row["table"], str(row["found"]), str(row["remaining"]))
    if table.row_count:
        out().print(table)
