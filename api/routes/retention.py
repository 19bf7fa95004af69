"""What is kept how long, what will go when, and having it go."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Who, Wired
from api.errors import NotFound
from api.reads.retention_models import DueDay, DueRows, Pinned, RetentionPlan, RetentionRun
from api.times import format_time
from store.errors import BadRetention
from store.retention import runs
from store.retention.plan import Plan

router = APIRouter(prefix="/api/v1/retention", tags=["retention"])


@router.get("/plan", summary="What will go when, and what incidents pin")
def get_plan(
    wired: Wired,
    days: Annotated[int, Query(ge=0, le=3650, description="How many days to look ahead; 0 is what is due now.")] = 7,
) -> RetentionPlan:
    """Rows of each table, day and tenant that go, and when, under the policy in force. Nothing is removed by asking."""
    return _told(
        wired.shared.retention.plan(wired.reader.store, days), wired.reader.tenant, wired.shared.retention.complaint
    )


@router.post("/runs", status_code=HTTPStatus.ACCEPTED, summary="Remove what is due, now")
def start_run(wired: Wired, who: Who) -> RetentionRun:
    """A worker does it within seconds, without waiting for a new policy's time of grace. Ask for the run to see."""
    return _run(runs.ask(wired.reader.store, wired.tenant, who), wired.at_home)


@router.get("/runs/{run_id}", summary="What became of a run")
def get_run(run_id: str, wired: Wired) -> RetentionRun:
    """`asked` until it is `done` or `failed`."""
    try:
        return _run(runs.load(wired.reader.store, wired.tenant, run_id), wired.at_home)
    except BadRetention as error:
        raise NotFound(str(error)) from error


def _run(run: runs.Run, all_tenants: bool) -> RetentionRun:
    return RetentionRun(
        id=run.id,
        state=run.state,
        who=run.who,
        removed=run.removed if all_tenants else 0,
        error=run.error,
        asked_at=format_time(run.asked),
    )


def _told(plan: Plan, tenant: str, complaint: str) -> RetentionPlan:
    """A tenant's part of a plan."""
    days = [
        DueDay(
            table=day.table.name, day=f"{day.day[:4]}-{day.day[4:6]}-{day.day[6:]}", tenant=share.tenant,
            rows=share.rows, pinned_rows=share.pinned, bytes=share.bytes, due_at=format_time(share.due),
        )
        for day in plan.days for share in day.shares if share.tenant == tenant
    ]  # fmt: skip
    rows = [
        DueRows(table=row.table, tenant=row.tenant, rows=row.rows, before=format_time(row.before))
        for row in plan.rows
        if row.tenant == tenant
    ]
    pins = [
        Pinned(
            tenant=pin.tenant, incident=pin.incident, title=pin.title, severity=pin.severity,
            start=format_time(pin.start), end=format_time(pin.end), until=format_time(pin.until),
        )
        for pin in plan.pins if pin.tenant == tenant and pin.until > time.time_ns()
    ]  # fmt: skip
    return RetentionPlan(policy=plan.policy.name, complaint=complaint, days=days, rows=rows, pins=pins)
