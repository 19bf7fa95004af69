"""`causeline decide`: acknowledge, assign, comment, resolve, reopen, merge, split, confirm or reject a cause."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from api.client import ApiClient
from api.commands.options import API_DEFAULT, ApiUrl, KeyFile, key_in, out
from api.errors import UsageError
from api.render import incident_list


class Verb(StrEnum):
    """What can be decided about an incident."""

    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    COMMENT = "comment"
    RESOLVE = "resolve"
    REOPEN = "reopen"
    MERGE = "merge"
    SPLIT = "split"
    CONFIRM = "confirm"
    REJECT = "reject"


def decide(
    incident_id: Annotated[str, typer.Argument(metavar="ID", help="The incident.")],
    verb: Annotated[
        Verb,
        typer.Argument(
            metavar="VERB",
            help="acknowledge, assign, comment, resolve, reopen, merge, split, confirm or reject (a cause).",
        ),
    ],
    text: Annotated[str, typer.Option("--text", help="Why; kept in the history.")] = "",
    to: Annotated[str | None, typer.Option("--to", help="Whose it is, for assign; '' is nobody's.")] = None,
    into: Annotated[str | None, typer.Option("--into", help="The incident to merge into.")] = None,
    entity: Annotated[
        list[str] | None,
        typer.Option("--entity", help="TYPE/NAME that is split off, confirmed or rejected; for split more than one."),
    ] = None,
    api: ApiUrl = API_DEFAULT,
    key_file: KeyFile = None,
) -> None:
    """Decide about an incident, and print it as it is then. What is decided stays, whatever later passes compute."""
    entities = [_entity(name) for name in entity or ()]
    path, body = _request(verb, to, into, entities)
    with ApiClient(api, key_in(key_file)) as client:
        found = client.decide(incident_id, path, {"text": text, **body})
        out().print(incident_list([found]))


def _request(
    verb: Verb, to: str | None, into: str | None, entities: list[dict[str, str]]
) -> tuple[str, dict[str, Any]]:
    """The address's last part and the body beside the text."""
    if verb is Verb.ASSIGN:
        return "assign", {"assignee": _needed(to, "--to")}
    if verb is Verb.MERGE:
        return "merge", {"into": _needed(into, "--into")}
    if verb is Verb.SPLIT:
        return "split", {"entities": _needed(entities or None, "--entity")}
    if verb in (Verb.CONFIRM, Verb.REJECT):
        one = _needed(entities or None, "--entity")[0]
        return "causes", {"entity": one, "verdict": "confirmed" if verb is Verb.CONFIRM else "rejected"}
    return ("comments" if verb is Verb.COMMENT else verb.value), {}


def _needed(value: Any, flag: str) -> Any:
    if value is None:
        raise UsageError(f"{flag} is needed for this")
    return value


def _entity(text: str) -> dict[str, str]:
    kind, slash, name = text.partition("/")
    if not kind or not slash or not name:
        raise UsageError(f"{text!r} is not TYPE/NAME")
    return {"type": kind, "name": name}
