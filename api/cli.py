"""The `causeline` command line: verbs are modules of `api.commands`, loaded when they are called."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from api.errors import ApiError
from api.version import version

VERBS = (
    "up", "serve", "worker", "beat", "health", "demo", "replay", "correlate", "jobs", "incidents", "decide", "report",
    "evaluate", "rules", "policy", "migrate", "doctor", "keys", "retention", "forget",
)  # fmt: skip


class Verbs(TyperGroup):
    """Loads a verb's module only when that verb, or the list of all, is asked for: some load the engine.

    `Any` stands for types that typer keeps to itself.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        """Names of all verbs."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The verb of that name; None when there is none."""
        if cmd_name not in VERBS:
            return None
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")
        single.command(cmd_name)(getattr(import_module(f"api.commands.{cmd_name}"), cmd_name))
        return typer.main.get_command(single)


app = typer.Typer(
    name="causeline",
    cls=Verbs,
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


def main() -> None:
    """Entry point: run a verb; an error of ours is one sentence on stderr and exit code 1."""
    # gRPC reads this as it loads; without it, every handshake that fails, and anybody can make one fail, is a line.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    try:
        app(prog_name="causeline")
    except ApiError as error:
        typer.echo(f"causeline: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
