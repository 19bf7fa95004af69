"""`causeline rules`: what the correlator looks for."""

from __future__ import annotations

import inspect

from rich import box
from rich.table import Table

from api.commands.options import out
from correlate.rules import RULES


def rules() -> None:
    """List the correlation rules: their evidence family, what they read and what they find."""

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("rule", "family", "reads", "finds"):
        table.add_column(heading, overflow="fold")
    for rule in RULES:
        module = inspect.getmodule(rule.detect)
        about = inspect.getdoc(module) or inspect.getdoc(rule.detect) or ""
        table.add_row(rule.name, rule.family, ", ".join(rule.reads), about.split("\n\n")[0].replace("\n", " "))
    out().print(table)
