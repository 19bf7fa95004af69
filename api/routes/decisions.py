"""What people decide about incidents. Each leaves an entry in the history with who, when and in which words."""

from __future__ import annotations

import json
from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from api.deps import Bound, Who, Wired
from api.errors import BadParameter
from api.protocol.idempotency import IdempotencyKey, Once
from api.protocol.parameters import Name
from api.reads import investigation, models
from api.reads.detail import detailed
from correlate.journal import Author
from correlate.manual import Desk, Verdict

router = APIRouter(prefix="/api/v1/incidents/{incident_id}", tags=["decisions"])


def _desk(wired: Bound) -> Desk:
    return Desk(wired.reader.store, wired.reader.tenant, wired.correlator)


def _answer(
    wired: Bound,
    request: Request,
    key: str | None,
    body: investigation.Words | investigation.Comment | None,
    act: Callable[[], str],
    status: int = 200,
) -> Response:
    """Do it once and show the incident that `act` names."""

    def done() -> tuple[int, models.IncidentDetail]:
        return status, detailed(wired.reader, act())

    return Once(wired.reader.store, wired.reader.tenant).answer(key, request, body, done)


def _simple(
    verb: Callable[[str, Author], None], incident_id: str, who: str, body: investigation.Words | None
) -> Callable[[], str]:
    def act() -> str:
        verb(incident_id, Author(who, body.text if body else ""))
        return incident_id

    return act


@router.post("/acknowledge", summary="Say that somebody is on it", response_model=models.IncidentDetail)
def acknowledge(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Words | None = None, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """The incident stays acknowledged until it ends, and is so again if it comes back. 409 when it is resolved."""
    act = _simple(_desk(wired).acknowledge, incident_id, who, body)
    return _answer(wired, request, idempotency_key, body, act)


@router.post("/resolve", summary="Say that it is over", response_model=models.IncidentDetail)
def resolve(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Words | None = None, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """It opens again only for a symptom that begins later than all that is known of it now."""
    act = _simple(_desk(wired).resolve, incident_id, who, body)
    return _answer(wired, request, idempotency_key, body, act)


@router.post("/reopen", summary="Say that it is not over", response_model=models.IncidentDetail)
def reopen(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Words | None = None, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """It stays open until it is resolved by hand. 409 when it is not resolved."""
    act = _simple(_desk(wired).reopen, incident_id, who, body)
    return _answer(wired, request, idempotency_key, body, act)


@router.post("/assign", summary="Say whose it is", response_model=models.IncidentDetail)
def assign(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Assignment, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """An empty assignee is nobody."""

    def act() -> str:
        _desk(wired).assign(incident_id, body.assignee, Author(who, body.text))
        return incident_id

    return _answer(wired, request, idempotency_key, body, act)


@router.post("/comments", summary="Write something down", response_model=models.IncidentDetail)
def comment(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Comment, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """Words for the incident's history."""

    def act() -> str:
        _desk(wired).comment(incident_id, Author(who, body.text))
        return incident_id

    return _answer(wired, request, idempotency_key, body, act)


@router.post("/merge", summary="Say that it is part of another", response_model=models.IncidentDetail)
def merge(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Merge, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """Everything it holds, and what is found later to belong to it, becomes part of `into`, which is ranked anew.

    Its address answers with that of the other from then on. 409 for incidents more than a day apart.
    """

    def act() -> str:
        _desk(wired).merge(incident_id, body.into, Author(who, body.text))
        return body.into

    return _answer(wired, request, idempotency_key, body, act)


@router.post("/split", status_code=201, summary="Say that it is two", response_model=models.IncidentDetail)
def split(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Split, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """Some signals, or all of some entities, become an incident of their own, which is the answer.

    Both are ranked anew.

    409 when nothing would be left on a side, or nothing there could be a root cause.
    """
    if not body.signal_ids and not body.entities:
        raise BadParameter("signal_ids", "signals or entities are needed")

    def act() -> str:
        named = [(entity.type, entity.name) for entity in body.entities]
        return _desk(wired).split(incident_id, body.signal_ids, named, Author(who, body.text))

    return _answer(wired, request, idempotency_key, body, act, 201)


@router.post("/causes", summary="Confirm or reject a root cause", response_model=models.IncidentDetail)
def judge(
    incident_id: Name, wired: Wired, who: Who, request: Request,
    body: investigation.Verdict, idempotency_key: IdempotencyKey = None,
) -> Response:  # fmt: skip
    """What is said of an entity last is what counts; it is kept with the rank, score and terms that were shown."""

    def act() -> str:
        asked = body.entity
        shown = next((cause for cause in wired.reader.root_causes(incident_id) if _names(cause, asked)), None)
        right = body.verdict is models.Said.CONFIRMED
        verdict = Verdict(asked.type, asked.name, right)
        if shown is not None:
            verdict = Verdict(
                asked.type, shown.entity.name, right, shown.kind, shown.rank, shown.score, json.dumps(shown.terms)
            )
        _desk(wired).judge(incident_id, verdict, Author(who, body.text))
        return incident_id

    return _answer(wired, request, idempotency_key, body, act)


def _names(cause: models.RootCause, asked: investigation.EntityName) -> bool:
    return cause.entity.type == asked.type and asked.name in {cause.entity.name, *cause.entity.aliases}
