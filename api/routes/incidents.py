"""Incidents and the signals that prove them."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import RedirectResponse

from api import models
from api.deps import Filter, Wired
from api.errors import NotFound

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents", summary="List incidents, newest first")
def list_incidents(wanted: Filter, wired: Wired) -> models.IncidentPage:
    """Incidents that overlap [start, end]; one without an end is still going on."""
    return wired.reader.incidents(wanted)


@router.get(
    "/incidents/{incident_id}",
    summary="One incident with timeline, graph and evidence",
    response_model=models.IncidentDetail,
    responses={308: {"description": "The incident was merged into the one that Location names."}},
)
def get_incident(incident_id: str, wired: Wired) -> models.IncidentDetail | RedirectResponse:
    """What failed first, what it broke on the way, what proves each step, and what was like it before.

    An incident that was found to be part of another answers with that one's address.
    """
    try:
        return wired.reader.incident(incident_id)
    except NotFound:
        target = wired.reader.merged_into(incident_id)
        if target is None:
            raise
        return RedirectResponse(f"/api/v1/incidents/{target}", status_code=308)


@router.get("/signals/{signal_id}", summary="One signal with its evidence")
def get_signal(signal_id: str, wired: Wired) -> models.Signal:
    """A detector's finding: when, which entity, what, how strongly, and the numbers behind it."""
    return wired.reader.signal(signal_id)
