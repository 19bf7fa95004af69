"""The HTTP API as an ASGI application; it reads tables and queues work, and never correlates."""

from __future__ import annotations

from fastapi import FastAPI

from api import problems
from api.deps import Services
from api.jaeger import routes as jaeger
from api.loki import routes as loki
from api.routes import correlations, health, incidents
from api.tempo import routes as tempo
from api.version import version

DESCRIPTION = (
    "Ranked incident timelines from OpenTelemetry: what failed first, what it broke, how sure we are, and what "
    "proves it. Errors are RFC 9457 problem documents; query parameters the API does not know are ignored."
)


def create_app(services: Services) -> FastAPI:
    """The API over `services`. Opening and closing what they hold is the caller's job."""
    app = FastAPI(
        title="Causeline", version=version(), description=DESCRIPTION, redoc_url=None, responses=problems.RESPONSES
    )
    app.state.services = services
    for module in (incidents, correlations, health):
        app.include_router(module.router)
    for foreign in (jaeger, loki, tempo):
        app.include_router(foreign.router)
    problems.install(app)
    return app
