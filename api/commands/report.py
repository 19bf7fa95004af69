"""`causeline report`: a post-mortem's draft."""

from __future__ import annotations

from typing import Annotated

import typer

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl


def report(
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="The incident.")], api: ApiUrl = API_DEFAULT
) -> None:
    """Print a post-mortem's draft of an incident in Markdown: causes, impact, timeline, actions."""
    with ApiClient(api) as client:
        typer.echo(client.report(incident_id))
