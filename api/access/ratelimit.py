"""How often a client may ask, and how much of a tenant is answered at once: 429 beyond.

A client is an access key or a person, and an address where there are no keys. How often is a moving window of a minute,
counted by `limits` in this process. A tenant with a limit of its own has it for all its keys together. Health checks
are not counted, and streams have places of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.access.scopes import Principal
from api.protocol.problems import problem
from api.tenant_limits import ApiTenantLimits

_FREE = frozenset({"/healthz", "/readyz"})
_ENDLESS = "/api/v1/incidents/stream"
Own = Mapping[str, ApiTenantLimits]


class RateLimit:
    """Answers 429 with Retry-After to a client that asked more than `per_minute` times (0: any) within a minute."""

    def __init__(self, app: ASGIApp, per_minute: int, own: Own) -> None:
        self._app = app
        self._usual = RateLimitItemPerMinute(per_minute) if per_minute else None
        limits = {tenant: limit.requests_per_minute for tenant, limit in own.items()}
        self._own = {tenant: RateLimitItemPerMinute(most) for tenant, most in limits.items() if most is not None}
        self._limiter = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or not."""
        if scope["type"] != "http" or scope["path"] in _FREE:
            await self._app(scope, receive, send)
            return
        who = _principal(scope)
        client = (who.id if who else "") or (scope.get("client") or ("unknown", 0))[0]
        item = self._usual
        if who is not None and who.tenant in self._own:
            item, client = self._own[who.tenant], f"tenant {who.tenant}"
        if item is None or self._limiter.hit(item, client):
            await self._app(scope, receive, send)
            return
        # The oldest request of the window is forgotten within a minute; by then there is room again.
        await _refusal(f"more than {item} from this client", 5)(scope, receive, send)


class AtOnce:
    """Answers 429 to a tenant that has `most` requests (0: any) under way, so that others get their turn."""

    def __init__(self, app: ASGIApp, most: int, own: Own) -> None:
        self._app = app
        self._usual = most
        self._own = {tenant: limit.requests_at_once for tenant, limit in own.items()}
        self._under_way: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request through, or not."""
        who = _principal(scope)
        if who is None or not who.id or scope["path"] == _ENDLESS:
            await self._app(scope, receive, send)
            return
        most = self._own.get(who.tenant) or self._usual
        if most and self._under_way[who.tenant] >= most:
            await _refusal(f"{most} requests of the tenant are under way", 1)(scope, receive, send)
            return
        self._under_way[who.tenant] += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way[who.tenant] -= 1
            if not self._under_way[who.tenant]:
                del self._under_way[who.tenant]


def _principal(scope: Scope) -> Principal | None:
    found: Principal | None = scope.get("state", {}).get("principal")
    return found


def _refusal(text: str, wait_s: int) -> Response:
    answer = problem(429, "too-many", "Too many requests or streams", text)
    answer.headers["Retry-After"] = str(wait_s)
    return answer
