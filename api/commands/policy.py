"""`causeline policy`: check policy files before they are in force."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import err
from api.errors import UsageError
from correlate.errors import PolicyError
from correlate.policy.files import files_of, read

_ACTIONS = ("check",)


def policy(
    action: Annotated[str, typer.Argument(metavar="check", help="What to do; `check` is all there is.")],
    paths: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Policy files, or folders of them.")],
) -> None:
    """Check policy files: `causeline policy check FILE...` says what is wrong with file, line and key.

    Files given together are checked together, as a folder in CAUSELINE_POLICY is read. Exit code 0: they can be used.
    """
    if action not in _ACTIONS:
        raise UsageError(f"there is no `causeline policy {action}`; it can {', '.join(_ACTIONS)}")
    try:
        found = read([file for path in paths for file in files_of(path)])
    except PolicyError as error:
        for complaint in error.complaints:
            err().print(complaint, soft_wrap=True, markup=False)
        raise typer.Exit(1) from error
    counted = f"{len(found.rules)} site rules, {len(found.overrides)} overrides, {len(found.disabled)} rules disabled"
    typer.echo(f"policy {found.version or '(empty)'}: {counted}")
