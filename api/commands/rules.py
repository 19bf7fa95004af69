"""`causeline rules`: what the correlator looks for."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.table import Table

from api.commands.options import out
from api.errors import UsageError
from correlate.errors import PolicyError
from correlate.policy.files import Policy, files_of, read
from correlate.policy.site_rules import compiled
from correlate.rules import RULES


def rules(
    policy: Annotated[
        Path | None,
        typer.Option("--policy", envvar="CAUSELINE_POLICY", help="Policy file or folder, whose site rules to list."),
    ] = None,
) -> None:
    """List the correlation rules: their evidence family, what they read and what they find.

    With a policy, its site rules are listed after the built-in ones, and disabled rules say so.
    """
    said = _policy(policy)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "family", "reads", "finds"):
        table.add_column(heading, overflow="fold")
    for rule in RULES:
        module = inspect.getmodule(rule.detect)
        about = inspect.getdoc(module) or inspect.getdoc(rule.detect) or ""
        off = " (disabled)" if rule.name in said.disabled else ""
        table.add_row(rule.name + off, rule.family, ", ".join(rule.reads), about.split("\n\n")[0].replace("\n", " "))
    for site in said.rules:
        made = compiled(site)
        off = " (disabled)" if site.name in said.disabled else ""
        table.add_row(site.name + off, made.family, ", ".join(made.reads), site.description)
    out().print(table)


def _policy(path: Path | None) -> Policy:
    if path is None:
        return Policy()
    try:
        return read(files_of(path))
    except PolicyError as error:
        raise UsageError(str(error)) from error
