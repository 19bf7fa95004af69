"""The audit log: for administrators."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel

from api.deps import Wired, shared
from api.errors import NotFound
from api.protocol.cursor import decode_cursor, encode_cursor, scope
from api.protocol.parameters import Cursor, PageSize, Text, TimeRange
from api.times import format_time
from ingest.errors import Forbidden
from store import audit
from store.settings import TENANT_PATTERN

router = APIRouter(prefix="/api/v1/audit", tags=["access"])
_MS = 1_000_000


class Decision(StrEnum):
    """What became of a request at the door."""

    ALLOWED = "allowed"
    DENIED = "denied"


class AuditEntry(BaseModel):
    """Who did what, and with what outcome."""

    time: str
    tenant: str
    who: str
    scope: str
    action: str
    object: str
    decision: Decision
    status: int
    reason: str
    address: str
    request_id: str


class AuditPage(BaseModel):
    """Entries, newest first."""

    entries: list[AuditEntry]
    next_cursor: str | None


@router.get("", summary="What was done and refused")
def list_entries(
    wired: Wired,
    request: Request,
    within: TimeRange,
    tenant: Annotated[str, Query(pattern=rf"^$|{TENANT_PATTERN}", description="Whose; the asking key's tenant.")] = "",
    who: Annotated[Text, Query(description="Only what this key or person did.")] = "",
    decision: Annotated[Decision | None, Query(description="Only what was allowed, or denied.")] = None,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> AuditPage:
    """What administrators read, what anybody changed, and what was refused, within seven days at most."""
    access = shared(request).access
    if access is None:
        raise NotFound("this process keeps no audit log")
    whose = tenant or wired.tenant
    if whose != wired.tenant and not wired.at_home:
        raise Forbidden("the access key sees the audit log of its own tenant only")
    # What this process knows already is not held back.
    access.audit.flush()
    times = (within.start // _MS, within.end // _MS + 1)
    of = scope(whose, "audit", who, decision)
    before = decode_cursor(cursor, of) if cursor else (0, "")
    found = audit.entries(wired.reader.store, whose, times, who, decision or "", before, limit + 1)
    page = found[:limit]
    more = encode_cursor((page[-1].at, page[-1].request_id), of) if len(found) > limit else None
    return AuditPage(
        entries=[
            AuditEntry(
                time=format_time(entry.at * _MS), tenant=entry.tenant, who=entry.who, scope=entry.scope,
                action=entry.action, object=entry.object, decision=Decision(entry.decision), status=entry.status,
                reason=entry.reason, address=entry.address, request_id=entry.request_id,
            )
            for entry in page
        ],
        next_cursor=more,
    )  # fmt: skip
