"""Incidents and the signals that prove them."""

from __future__ import annotations

from fastapi import APIRouter

from api import models
from api.deps import Filter, Wired

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents", summary="List incidents, newest first")
def list_incidents(wanted: Filter, wired: Wired) -> models.IncidentPage:
    """Incidents that overlap [start, end]; one without an end is still going on."""
    return wired.reader.incidents(wanted)


@router.get("/incidents/{incident_id}", summary="One incident with timeline, graph and evidence")
def get_incident(incident_id: str, wired: Wired) -> models.IncidentDetail:
    """What failed first, what it broke on the way, and what proves each step."""
    return wired.reader.incident(incident_id)


@router.get("/signals/{signal_id}", summary="One signal with its evidence")
def get_signal(signal_id: str, wired: Wired) -> models.Signal:
    """A detector's finding: when, which entity, what, how strongly, and the numbers behind it."""
    return wired.reader.signal(signal_id)
