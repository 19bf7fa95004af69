"""How often one client may ask: a moving window of a minute, counted by `limits` in this process.

A client is an access key or a person, and an address where there are no keys. Health checks are not counted.
"""

from __future__ import annotations

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.scopes import Principal
from api.problems import problem

_FREE = frozenset({"/healthz", "/readyz"})


class RateLimit:
    """Answers 429 with Retry-After to a client that asked more than `per_minute` times within a minute."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        self._app = app
        self._item = RateLimitItemPerMinute(per_minute)
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or not."""
        if scope["type"] != "http" or scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        principal: Principal | None = scope.get("state", {}).get("principal")
        client = (principal.id if principal else "") or (scope.get("client") or ("unknown", 0))[0]
        if self._limiter.hit(self._item, client):
            await self._app(scope, receive, send)
            return
        answer = problem(429, "too-many", "Too many requests or streams", f"more than {self._item} from this client")
        # The oldest request of the window is forgotten within a minute; by then there is room again.
        answer.headers["Retry-After"] = "5"
        await answer(scope, receive, send)
