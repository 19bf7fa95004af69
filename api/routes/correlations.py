"""Starting a back-fill and watching it."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api import models
from api.deps import Wired
from api.errors import BadParameter
from api.times import checked_range, parse_time

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


@router.get("/correlations/{job_id}", summary="Progress of a back-fill")
def get_correlation(job_id: str, wired: Wired) -> models.Correlation:
    """State and steps done; poll until it is `done` or `failed`."""
    return wired.reader.correlation(job_id)
