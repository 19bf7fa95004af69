"""`causeline demo`: a GPU incident from telemetry to ranked timeline, in half a minute."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn

from api.client import ApiClient
from api.commands.correlate import back_fill
from api.commands.options import err, out
from api.demo.play import Played, play
from api.errors import SystemUnreachable
from api.process.subsystem import Subsystem
from api.render import incident_detail, incident_list, ranked

Watch = Callable[[float, str], None]


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", envvar="CAUSELINE_KEEP", help="Leave the system up and print what to try on it.")
    ] = False,
) -> None:
    """Start a system, play a GPU incident into it, and print the incident it finds.

    The last hour of a small GPU platform goes through real OpenTelemetry exporters: a GPU falls off the
    bus, pods restart, queue and latency grow, evaluation scores of one model sink, and somebody deploys something
    unrelated. What is printed comes from the running system's API. Exits with 1 when no incident came out.
    """
    with tempfile.TemporaryDirectory(prefix="causeline-demo-") as folder, Subsystem(Path(folder), keep=keep) as system:
        typer.echo(f"started a system on {folder}", err=True)
        with _progress() as advance:
            played = play(system.otlp_http_url, advance)
        sent = played.sent
        typer.echo(
            f"played {played.start} to {played.end}: {sent.spans:,} spans, {sent.log_records:,} log records, "
            f"{sent.data_points:,} data points",
            err=True,
        )
        with ApiClient(system.api_url) as client:
            typer.echo(back_fill(client, played.start, played.end), err=True)
            _show(client, played)
        if keep:
            typer.echo(_try_next(system, played))
            system.wait()


def _show(client: ApiClient, played: Played) -> None:
    found = ranked(list(client.incidents(start=played.start, end=played.end)))
    if not found:
        raise SystemUnreachable("the system found no incident in the demo's telemetry")
    console = out()
    if len(found) > 1:
        console.print(incident_list(found))
    console.print(incident_detail(client.incident(found[0]["id"])))


def _try_next(system: Subsystem, played: Played) -> str:
    return "\n".join(
        (
            "",
            "The system stays up until Ctrl-C. Try:",
            f"  curl -s '{system.api_url}/api/v1/incidents?start={played.start}'",
            f"  curl -s '{system.api_url}/api/v1/status'",
            f"  causeline incidents --api {system.api_url}",
            f"  open {system.api_url}/docs",
        )
    )


@contextmanager
def _progress() -> Iterator[Watch]:
    if not sys.stderr.isatty():
        yield lambda _share, _simulated: None
        return
    columns = (TextColumn("playing {task.fields[simulated]}"), BarColumn(), TextColumn("{task.percentage:>3.0f}%"))
    with Progress(*columns, console=err()) as bar:
        task = bar.add_task("", total=1.0, simulated="")
        yield lambda share, simulated: bar.update(task, completed=share, simulated=simulated[11:16])
