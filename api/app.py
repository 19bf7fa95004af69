"""The HTTP API as an ASGI application; it reads tables and queues work, and never correlates."""

from __future__ import annotations

from fastapi import FastAPI

from api import problems
from api.cancelled import Cancelling
from api.deps import Services
from api.jaeger import routes as jaeger
from api.loki import routes as loki
from api.prometheus import routes as prometheus
from api.ratelimit import RateLimit
from api.routes import (
    alertmanager,
    correlations,
    decisions,
    deletions,
    entities,
    health,
    incidents,
    retention,
    stream,
    telemetry,
)
from api.stream import Stream
from api.tempo import routes as tempo
from api.version import version

DESCRIPTION = (
    "Ranked incident timelines from OpenTelemetry: what failed first, what it broke, how sure we are, and what "
    "proves it. Errors are RFC 9457 problem documents; query parameters the API does not know are ignored."
)
# Ten thousand alerts of ordinary size.
_LARGEST_BODY = 8 * 1024 * 1024


def create_app(services: Services) -> FastAPI:
    """The API over `services`. Opening and closing what they hold is the caller's job."""
    app = FastAPI(
        title="Causeline",
        version=version(),
        description=DESCRIPTION,
        redoc_url=None,
        responses=problems.RESPONSES,
        max_body_size=_LARGEST_BODY,
    )
    app.state.services = services
    app.state.stream = Stream(services.reader.store, services.reader.tenant, services.most_streams)
    app.add_middleware(Cancelling, store=lambda: services.reader.store)
    if services.requests_per_minute:
        app.add_middleware(RateLimit, per_minute=services.requests_per_minute)
    for module in (
        stream,
        incidents,
        decisions,
        entities,
        telemetry,
        alertmanager,
        correlations,
        retention,
        deletions,
        health,
    ):
        app.include_router(module.router)
    for foreign in (prometheus, jaeger, loki, tempo):
        app.include_router(foreign.router)
    problems.install(app)
    return app
