"""The HTTP API as an ASGI application; it reads tables and queues work, and never correlates."""

from __future__ import annotations

from fastapi import Depends, FastAPI
from fastapi.security import HTTPBearer
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from api.access.guard import Guard
from api.access.ratelimit import AtOnce, RateLimit
from api.deps import Services
from api.jaeger import routes as jaeger
from api.loki import routes as loki
from api.prometheus import routes as prometheus
from api.protocol import problems
from api.protocol.cancelled import Cancelling
from api.protocol.too_large import TooLarge
from api.reads.stream import Streams
from api.routes import (
    alertmanager,
    audit,
    correlations,
    decisions,
    deletions,
    entities,
    health,
    incidents,
    keys,
    retention,
    stream,
    telemetry,
)
from api.tempo import routes as tempo
from api.version import version

DESCRIPTION = (
    "Ranked incident timelines from OpenTelemetry: what failed first, what it broke, how sure we are, and what "
    "proves it. Errors are RFC 9457 problem documents; query parameters the API does not know are ignored."
)
# Ten thousand alerts of ordinary size.
_LARGEST_BODY = 8 * 1024 * 1024


_BEARER = HTTPBearer(
    auto_error=False, description="An access key, or a person's token, where keys are needed.", scheme_name="key"
)


def create_app(services: Services) -> FastAPI:
    """The API over `services`. Opening and closing what they hold is the caller's job."""
    app = FastAPI(
        title="Causeline",
        version=version(),
        description=DESCRIPTION,
        redoc_url=None,
        responses=problems.RESPONSES,
        # The guard before the application looks at it; here it is described.
        dependencies=[Depends(_BEARER)],
    )
    app.state.services = services
    app.state.streams = Streams(services.reader.store, services.most_streams)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=_LARGEST_BODY)
    app.add_middleware(TooLarge, most=_LARGEST_BODY)
    app.add_middleware(Cancelling, store=lambda: services.reader.store)
    app.add_middleware(AtOnce, most=services.requests_at_once, own=services.limits)
    app.add_middleware(RateLimit, per_minute=services.requests_per_minute, own=services.limits)
    if services.access is not None:
        # Added last, it stands before everything else.
        app.add_middleware(Guard, access=services.access)
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
        keys,
        audit,
        health,
    ):
        app.include_router(module.router)
    for foreign in (prometheus, jaeger, loki, tempo):
        app.include_router(foreign.router)
    problems.install(app)
    return app
