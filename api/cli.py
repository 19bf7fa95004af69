"""The `causeline` command line."""

from __future__ import annotations

import sys

import typer

from api.commands import correlate, demo, evaluate, incidents, migrate, replay, rules, up
from api.errors import ApiError
from api.version import version

app = typer.Typer(
    name="causeline",
    help="OpenTelemetry in, ranked incident timelines out: what failed first, what it broke, and what proves it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"causeline {version()}")
        raise typer.Exit


@app.callback()
def _root(
    show: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version and exit."),
) -> None:
    pass


for module in (up, replay, correlate, incidents, demo, evaluate, rules, migrate):
    module.register(app)


def main() -> None:
    """Entry point: run a command; an error of ours is one sentence on stderr and exit code 1."""
    try:
        app()
    except ApiError as error:
        typer.echo(f"causeline: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
