"""Alerts that other systems send us: Alertmanager's webhook, and the part of its API v2 that Prometheus posts to."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from pydantic import BaseModel

from api.alertmanager import PostedAlert, Webhook, logs_of
from api.deps import Bound, Wired
from api.errors import BadParameter

router = APIRouter(prefix="/api", tags=["alerts"])


class Taken(BaseModel):
    """How many alerts came."""

    alerts: int


async def _take(wired: Bound, alerts: list[PostedAlert]) -> Taken:
    body = logs_of(alerts)
    if body:
        outcome = await wired.take_logs(body)
        if outcome.rejected:
            raise BadParameter("alerts", f"{outcome.rejected} alerts were refused: {outcome.message}")
    return Taken(alerts=len(alerts))


@router.post("/v1/alertmanager/webhook", summary="Receive an Alertmanager webhook")
async def webhook(wired: Wired, body: Webhook) -> Taken:
    """Alerts as Alertmanager's `webhook_config` sends them; what fires becomes signals. 200 once they are stored."""
    return await _take(wired, body.alerts)


@router.post("/v2/alerts", summary="Receive alerts as Alertmanager does")
async def post_alerts(wired: Wired, body: Annotated[list[PostedAlert], Body(max_length=10_000)]) -> Taken:
    """Alerts as Prometheus and vmalert send them to an Alertmanager (`alertmanagers: [{static_configs: ...}]`)."""
    return await _take(wired, body)
