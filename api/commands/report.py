"""`causeline report`: a post-mortem's draft."""

from __future__ import annotations

from typing import Annotated

import typer

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, KeyFile, key_in


def report(
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="The incident.")],
    api: ApiUrl = API_DEFAULT,
    key_file: KeyFile = None,
) -> None:
    """Print a post-mortem's draft of an incident in Markdown: causes, impact, timeline, actions."""
    with ApiClient(api, key_in(key_file)) as client:
        typer.echo(client.report(incident_id))
