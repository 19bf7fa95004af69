"""Whether the system lives, is ready, and how much it holds."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.deps import Shared, Wired
from api.reads import models
from api.version import version
from ingest.reason import Reason
from store.errors import StoreError

router = APIRouter()


@router.get("/healthz", tags=["health"], summary="The process lives")
async def healthz() -> dict[str, str]:
    """Always ok while the process can answer."""
    return {"status": "ok"}


@router.get("/readyz", tags=["health"], summary="The system can take telemetry and answer questions")
def readyz(held: Shared, response: Response) -> models.Readiness:
    """503 and why while the store or the receiver cannot work; `degraded` and why when not all is well."""
    reasons = held.reasons()
    try:
        held.reader.engine_version()
    except StoreError as error:
        reasons = [Reason("store_unreachable", str(error), blocks=True), *reasons]
    blocked = any(reason.blocks for reason in reasons)
    if blocked:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return models.Readiness(
        status="unavailable" if blocked else "degraded" if reasons else "ready",
        reasons=[models.ReadinessReason(code=reason.code, message=reason.message) for reason in reasons],
    )


@router.get("/api/v1/status", tags=["health"], summary="Versions, counts and ingest statistics")
def status(wired: Wired) -> models.Status:
    """What is running, how much it holds, and what the receiver has done since it started."""
    return models.Status(
        version=version(),
        engine=wired.reader.engine_version(),
        home=wired.reader.store.home.value,
        started_at=wired.shared.started_at.isoformat().replace("+00:00", "Z"),
        counts=wired.reader.counts(),
        # What other tenants send is nobody's business.
        ingest=wired.shared.ingest_stats() if wired.at_home else {},
    )
