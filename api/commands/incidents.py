"""`causeline incidents`: what happened, worst first, and one timeline."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, KeyFile, key_in, out
from api.render import incident_detail, incident_list, ranked

_MOST = 1000


def incidents(
    incident_id: Annotated[str | None, typer.Argument(metavar="[ID]", help="Show this incident only.")] = None,
    api: ApiUrl = API_DEFAULT,
    key_file: KeyFile = None,
    start: Annotated[
        str | None, typer.Option("--start", envvar="CAUSELINE_START", help="Only what was going on after this time.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--end", envvar="CAUSELINE_END", help="Only what was going on before this time.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", envvar="CAUSELINE_JSON", help="Print the API's JSON instead.")
    ] = False,
) -> None:
    """List incidents, worst first, and print the timeline of the first, or of the one with this ID."""
    with ApiClient(api, key_in(key_file)) as client:
        if incident_id is not None:
            found = client.incident(incident_id)
            if as_json:
                typer.echo(json.dumps(found, indent=1))
            else:
                out().print(incident_detail(found))
            return
        bounds: dict[str, str | int] = {
            name: text for name, text in (("start", start), ("end", end)) if text is not None
        }
        listed = ranked(list(client.incidents(limit=_MOST, **bounds)))
        if as_json:
            typer.echo(json.dumps({"incidents": listed}, indent=1))
        elif not listed:
            typer.echo("no incidents")
        else:
            console = out()
            console.print(incident_list(listed))
            console.print(incident_detail(client.incident(listed[0]["id"])))
