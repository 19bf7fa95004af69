"""`causeline jobs`: back-fills, what they gave up, and trying it again."""

from __future__ import annotations

from typing import Annotated

import typer
from rich import box
from rich.table import Table

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, KeyFile, key_in, out


def jobs(
    job_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show what this job gave up.")] = None,
    api: ApiUrl = API_DEFAULT,
    key_file: KeyFile = None,
    state: Annotated[
        str | None,
        typer.Option("--state", envvar="CAUSELINE_STATE", help="Only jobs that are queued, running, done or failed."),
    ] = None,
    release: Annotated[
        bool, typer.Option("--release", envvar="CAUSELINE_RELEASE", help="Try what the job gave up again.")
    ] = False,
    failures: Annotated[
        bool, typer.Option("--rule-failures", envvar="CAUSELINE_RULE_FAILURES", help="Show rules that raised instead.")
    ] = False,
) -> None:
    """List back-fills with their progress; of one job, the windows that failed too often and were given up.

    With --release they are tried again, with all their attempts.
    """
    with ApiClient(api, key_in(key_file)) as client:
        if failures:
            _print(client.rule_failures(), ("rule", "window_start", "window_end", "error", "at"), "no rule failed")
        elif job_id is None:
            if release:
                raise typer.BadParameter("name the job whose windows are to be released")
            columns = ("id", "state", "steps_done", "steps_total", "signals", "incidents", "error")
            _print(client.jobs(state), columns, "no jobs")
        elif release:
            typer.echo(f"released {client.release(job_id)} windows of {job_id}")
        else:
            _print(client.quarantined(job_id), ("start", "end", "attempts", "error"), f"{job_id} gave nothing up")


def _print(rows: list[dict[str, object]], columns: tuple[str, ...], nothing: str) -> None:
    if not rows:
        typer.echo(nothing)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(str(row[column]) for column in columns))
    out().print(table)
