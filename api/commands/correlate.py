"""`causeline correlate`: correlate telemetry that is already stored."""

from __future__ import annotations

import sys

import typer
from rich.progress import BarColumn, Progress, TextColumn

from api.client import ApiClient, Job
from api.commands.options import API_DEFAULT, ApiUrl, End, KeyFile, Start, err, key_in


def correlate(start: Start, end: End, api: ApiUrl = API_DEFAULT, key_file: KeyFile = None) -> None:
    """Back-fill: correlate a stretch of time and wait until it is done.

    Doing it again gives the same incidents with the same ids.
    """
    with ApiClient(api, key_in(key_file)) as client:
        typer.echo(back_fill(client, start, end))


def back_fill(client: ApiClient, start: str, end: str) -> str:
    """Run one back-fill with progress on standard error; returns a sentence about what came out."""
    if sys.stderr.isatty():
        columns = (TextColumn("correlating"), BarColumn(), TextColumn("{task.completed:.0f}/{task.total:.0f} windows"))
        with Progress(*columns, console=err()) as bar:
            task = bar.add_task("", total=1)

            def draw(job: Job) -> None:
                bar.update(task, completed=job["steps_done"], total=max(job["steps_total"], 1))

            job = client.correlate(start, end, draw)
    else:
        seen: set[int] = set()

        def say(job: Job) -> None:
            tenth = job["steps_done"] * 10 // max(job["steps_total"], 1)
            if job["steps_total"] and tenth not in seen:
                seen.add(tenth)
                typer.echo(f"correlated {job['steps_done']}/{job['steps_total']} windows", err=True)

        job = client.correlate(start, end, say)
    return f"correlated {job['start']} to {job['end']}: {job['signals']} signals, {job['incidents']} incidents"
