"""`causeline replay`: recorded OTLP JSON lines, sent again over OTLP/HTTP."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from api.commands.options import OTLP_DEFAULT, KeyFile, err, key_in
from api.errors import UsageError
from api.replay.live import Live
from api.replay.reader import Line
from api.replay.sender import Progress as Watch
from api.replay.sender import Replay, Report, Tally
from api.times import parse_time

_EVERY_S = 5.0

# A receiver groups what is in flight together, and a group costs about the same whatever its size.
CONCURRENCY = 64


def replay(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="OTLP JSON lines: plain, gzip or Zstandard.")],
    endpoint: Annotated[
        str, typer.Option("--endpoint", envvar="CAUSELINE_ENDPOINT", help="Base URL of an OTLP/HTTP receiver.")
    ] = OTLP_DEFAULT,
    concurrency: Annotated[
        int,
        typer.Option(
            "--concurrency", envvar="CAUSELINE_CONCURRENCY", min=1, max=64, help="Requests in flight at once."
        ),
    ] = CONCURRENCY,
    live_from: Annotated[
        str | None,
        typer.Option(
            "--live-from",
            envvar="CAUSELINE_LIVE_FROM",
            metavar="TIME",
            help="Replay as if this moment were now: earlier telemetry at once, later at the pace it was recorded.",
        ),
    ] = None,
    live_until: Annotated[
        str | None,
        typer.Option(
            "--live-until", envvar="CAUSELINE_LIVE_UNTIL", metavar="TIME", help="Stop there; with --live-from."
        ),
    ] = None,
    key_file: KeyFile = None,
) -> None:
    """Send recorded telemetry to a receiver, as OTLP/HTTP protobuf.

    Each line is one export request, as the OpenTelemetry Collector's file exporter writes it; its first key
    tells the signal. A line always becomes the same bytes, so sending it again stores nothing twice. A line
    that cannot be sent is reported as `FILE:LINE: reason`, the rest goes on, and the exit code is 1.

    With --live-from, times (RFC 3339 or unix seconds) are those of the recording, and all records are moved by
    the same amount, so that the moment is the present: an incident can be watched as it unfolds.
    """
    tally = send(files, endpoint, concurrency, live=_live(live_from, live_until), key=key_in(key_file))
    typer.echo(summary(tally))
    if tally.failures:
        raise typer.Exit(1)


def _live(start: str | None, end: str | None) -> Live | None:
    if start is None:
        if end is not None:
            raise UsageError("--live-until needs --live-from")
        return None
    first = parse_time(start, "--live-from")
    last = None if end is None else parse_time(end, "--live-until")
    if last is not None and last <= first:
        raise UsageError("--live-until must be after --live-from")
    return Live(first, last)


def send(
    files: list[Path],
    endpoint: str,
    concurrency: int,
    each: Callable[[Line], None] | None = None,
    live: Live | None = None,
    key: str = "",
) -> Tally:
    """Replay with progress on standard error: a bar on a terminal, a line every few seconds elsewhere.

    `each` sees every line that was sent.
    """
    with _watch() as (watch, report):

        def seen(line: Line, tally: Tally) -> None:
            if each is not None:
                each(line)
            watch(line, tally)

        return Replay(endpoint, concurrency, seen, report, key).run(files, live)


def summary(tally: Tally) -> str:
    """What was accepted, per signal."""
    kinds = ", ".join(f"{tally.accepted[name]:,} {noun}" for name, noun in _NOUNS.items() if tally.accepted[name])
    failed = f"; {len(tally.failures)} lines failed" if tally.failures else ""
    size = f"{tally.sent_bytes / 1e6:.1f} MB compressed"
    return f"accepted {kinds or 'nothing'} in {tally.requests:,} requests ({size}){failed}"


_NOUNS = {"traces": "spans", "logs": "log records", "metrics": "data points"}


@contextmanager
def _watch() -> Iterator[tuple[Watch, Report]]:
    started = time.monotonic()
    if sys.stderr.isatty():
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%  {task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=err()) as bar:
            tasks: dict[Path, object] = {}

            def draw(line: Line, tally: Tally) -> None:
                if line.path not in tasks:
                    tasks[line.path] = bar.add_task(line.path.name, total=1.0, rate="")
                bar.update(tasks[line.path], completed=line.share, rate=_rate(tally, started))  # type: ignore[arg-type]

            yield draw, lambda message: bar.console.print(message, markup=False, soft_wrap=True)
        return
    last = started

    def say(line: Line, tally: Tally) -> None:
        nonlocal last
        if time.monotonic() - last >= _EVERY_S:
            last = time.monotonic()
            typer.echo(
                f"{line.path.name} {line.share:.0%}  {tally.records:,} records  {_rate(tally, started)}", err=True
            )

    yield say, lambda message: typer.echo(message, err=True)


def _rate(tally: Tally, started: float) -> str:
    return f"{tally.records / max(time.monotonic() - started, 1e-3):,.0f} records/s"
