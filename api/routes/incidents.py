"""Incidents and the signals that prove them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from api.deps import Filter, Wired
from api.errors import NotFound
from api.protocol.parameters import Cursor, Name, PageSize
from api.protocol.tagged import tagged
from api.reads import investigation, models
from api.reads import report as reporting
from api.reads.detail import detailed
from api.reads.topology import Places
from api.reads.whynot import Surroundings

router = APIRouter(prefix="/api/v1", tags=["incidents"])
_UNCHANGED: dict[int | str, dict[str, Any]] = {
    304: {"description": "Nothing has changed since the answer that If-None-Match names."}
}


class Form(StrEnum):
    """What a report is written in."""

    MARKDOWN = "markdown"
    JSON = "json"


@router.get(
    "/incidents",
    summary="List incidents, newest first",
    response_model=models.IncidentPage,
    responses=_UNCHANGED,
)
def list_incidents(wanted: Filter, wired: Wired, request: Request) -> Response:
    """Incidents that overlap [start, end]; one without an end is still going on."""
    return tagged(request, wired.reader.incidents(wanted))


@router.get(
    "/incidents/{incident_id}",
    summary="One incident with timeline, graph and evidence",
    response_model=models.IncidentDetail,
    responses={**_UNCHANGED, 308: {"description": "The incident was merged into the one that Location names."}},
)
def get_incident(incident_id: Name, wired: Wired, request: Request) -> Response:
    """What failed first, what it broke on the way, what proves each step, and what was like it before.

    An incident that was found to be part of another answers with that one's address.
    """
    try:
        return tagged(request, detailed(wired.reader, incident_id))
    except NotFound:
        target = wired.reader.merged_into(incident_id)
        if target is None:
            raise
        return RedirectResponse(f"/api/v1/incidents/{target}", status_code=308)


@router.get("/incidents/{incident_id}/why-not", summary="Why something is not the cause")
def why_not(
    incident_id: Name,
    wired: Wired,
    entity: Annotated[
        str, Query(min_length=3, max_length=400, pattern=r"^[^\x00/]+/[^\x00]+$", description="TYPE/NAME of an entity.",
                   examples=["node/gpu-node-2"]),
    ],
) -> investigation.WhyNot:  # fmt: skip
    """Why an entity is not the first cause, from the stored terms of the ranking; nothing is ranked anew."""
    kind, _, name = entity.partition("/")
    return Surroundings(Places(wired.reader)).why_not(incident_id, kind, name)


@router.get(
    "/incidents/{incident_id}/report",
    summary="A post-mortem's draft",
    response_model=reporting.Report,
    responses={200: {"content": {"text/markdown": {"schema": {"type": "string"}}}}},
)
def get_report(
    incident_id: Name,
    wired: Wired,
    format: Annotated[Form, Query(description="markdown or json.")] = Form.JSON,  # noqa: A002
) -> Response:
    """Summary, causes with what speaks for and against them, impact, timeline with links to evidence, actions."""
    draft = reporting.report(detailed(wired.reader, incident_id))
    if format is Form.MARKDOWN:
        return Response(reporting.markdown(draft), media_type="text/markdown; charset=utf-8")
    return Response(draft.model_dump_json(), media_type="application/json")


@router.get("/feedback", summary="What people said of root causes")
def list_feedback(
    wired: Wired,
    incident_id: Annotated[
        str, Query(max_length=200, pattern=r"^[^\x00]*$", description="Only of this incident.")
    ] = "",
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> investigation.FeedbackPage:
    """Confirmed and rejected causes, latest first, each with the rank, score and terms that were shown."""
    found, more = wired.reader.feedback(incident_id, limit, cursor)
    return investigation.FeedbackPage(feedback=found, next_cursor=more)


@router.get("/signals/{signal_id}", summary="One signal with its evidence")
def get_signal(signal_id: Name, wired: Wired) -> models.Signal:
    """A detector's finding: when, which entity, what, how strongly, and the numbers behind it."""
    return wired.reader.signal(signal_id)
