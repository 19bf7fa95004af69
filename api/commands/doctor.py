"""`causeline doctor`: looks at the store and the broker, and says what to change."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from pydantic import ValidationError

from api.commands.options import DataOption
from api.errors import UsageError
from api.process import broker_checkup
from api.settings import Settings
from store import Store, checkup
from store.errors import StoreError
from store.finding import Finding, Grade

_MARKS = {Grade.OK: "ok     ", Grade.WARNING: "warning", Grade.PROBLEM: "problem"}


def doctor(
    data: DataOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="CAUSELINE_JSON", help="Print findings as JSON, for programs.")
    ] = False,
) -> None:
    """Check the store and the broker that the settings name: version, clock, tables, disk, parts, users, nodes, Redis.

    Each finding says what to change. Exits with 1 when one is a problem, and with 0 when there are warnings at most. An
    embedded store belongs to the process that runs on it: stop that one first.
    """
    try:
        settings = Settings(data=data) if data else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    found = [*_of_store(settings), *broker_checkup.findings(settings.message_broker)]
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in found], indent=2))
    else:
        typer.echo("\n".join(_line(finding) for finding in found))
    if any(finding.grade is Grade.PROBLEM for finding in found):
        raise typer.Exit(1)


def _of_store(settings: Settings) -> list[Finding]:
    try:
        store = Store.open(settings.store_settings)
    except StoreError as error:
        advice = "see that it runs, and that CAUSELINE_STORE__URL and its password are right"
        return [Finding("store", Grade.PROBLEM, str(error), advice)]
    try:
        return checkup.findings(store)
    finally:
        store.close()


def _line(finding: Finding) -> str:
    advice = f"\n         {finding.advice}" if finding.advice else ""
    return f"{_MARKS[finding.grade]}  {finding.check}: {finding.said}{advice}"
