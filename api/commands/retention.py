"""`causeline retention`: what will go when, what incidents pin, and having it go now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, out
from api.errors import UsageError
from store.errors import BadRetention
from store.retention.policy import read

_ACTIONS = ("plan", "apply", "check")


def retention(
    action: Annotated[
        str, typer.Argument(metavar="plan|apply|check", help="Show what will go, remove what is due, or check a file.")
    ],
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="The policy file to check.")] = None,
    api: ApiUrl = API_DEFAULT,
    days: Annotated[
        int, typer.Option("--days", envvar="CAUSELINE_DAYS", min=0, help="How many days to look ahead.")
    ] = 7,
) -> None:
    """`plan` lists what will go within some days, by table, day and tenant, and what incidents pin; it removes nothing.

    `apply` removes what is due and waits for it; the running system does the same by itself every hour.
    `check FILE` says what is wrong with a retention policy.
    """
    if action == "check":
        if file is None:
            raise UsageError("name the file to check")
        try:
            policy = read(file)
        except BadRetention as error:
            raise UsageError(str(error)) from error
        typer.echo(f"retention policy {policy.name or '(keeps everything)'}: {len(policy.tenant)} tenants of their own")
        return
    if action not in _ACTIONS:
        raise UsageError(f"there is no `causeline retention {action}`; it can {', '.join(_ACTIONS)}")
    with ApiClient(api) as client:
        if action == "plan":
            _show(client.retention_plan(days))
            return
        run = client.retention_apply()
        typer.echo(f"removed {run['removed']} rows")


def _show(plan: dict[str, list[dict[str, object]]]) -> None:
    if plan["complaint"]:
        typer.echo(f"the policy file is not in force: {plan['complaint']}", err=True)
    if not (plan["days"] or plan["rows"] or plan["pins"]):
        typer.echo("nothing goes" if plan["policy"] else "nothing goes: everything is kept")
    _print(plan["days"], ("due_at", "table", "day", "tenant", "rows", "pinned_rows", "bytes"))
    _print(plan["rows"], ("table", "tenant", "rows", "before"))
    _print(plan["pins"], ("incident", "title", "severity", "start", "end", "until"))


def _print(rows: list[dict[str, object]], columns: tuple[str, ...]) -> None:
    if not rows:
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    out().print(table)
