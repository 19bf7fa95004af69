"""Starting a back-fill and watching it."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.deps import DEFAULT_LIMIT, MAX_LIMIT, Wired
from api.errors import BadParameter
from api.reads import models
from api.times import checked_range, parse_time


class JobState(StrEnum):
    """How far a back-fill is; failed means that some of its windows were given up."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


router = APIRouter(prefix="/api/v1", tags=["correlations"])


@router.post("/correlations", status_code=HTTPStatus.ACCEPTED, summary="Correlate a stretch of time")
def start_correlation(wanted: models.CorrelationRequest, wired: Wired, response: Response) -> models.Correlation:
    """Queue a back-fill of [start, end). The same range again gives the same incidents and ids."""
    start, end = checked_range(parse_time(str(wanted.start), "start"), parse_time(str(wanted.end), "end"))
    if start == end:
        raise BadParameter("end", "the range is empty")
    job_id = wired.submit(start, end)
    response.headers["Location"] = f"/api/v1/correlations/{job_id}"
    return wired.reader.correlation(job_id)


@router.get("/correlations", summary="Back-fills, newest first")
def list_correlations(
    wired: Wired,
    state: Annotated[JobState | None, Query(description="Only jobs in this state.")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
) -> models.Correlations:
    """Jobs with their progress; a `failed` one has windows that were given up."""
    return wired.reader.correlations(state or "", limit)


@router.get("/correlations/{job_id}/quarantined", summary="Windows that a back-fill gave up")
def get_quarantined(
    job_id: str, wired: Wired, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
) -> models.QuarantinedWindows:
    """What failed too often, with the reason; release it once the reason is gone."""
    return wired.reader.quarantined(wired.reader.correlation(job_id).id, limit)


@router.post("/correlations/{job_id}/release", summary="Try the given-up windows of a back-fill again")
def release_quarantined(job_id: str, wired: Wired) -> models.Released:
    """Queue them with all their attempts; the answer says how many."""
    return models.Released(released=wired.release(wired.reader.correlation(job_id).id))


@router.get("/rule-failures", summary="Rules that raised")
def list_rule_failures(
    wired: Wired, limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT
) -> models.RuleFailures:
    """Which rule, on which window, and why. Other rules' results of these windows stand."""
    return wired.reader.rule_failures(limit)


@router.get("/correlations/{job_id}", summary="Progress of a back-fill")
def get_correlation(job_id: str, wired: Wired) -> models.Correlation:
    """State and steps done; poll until it is `done` or `failed`."""
    return wired.reader.correlation(job_id)
