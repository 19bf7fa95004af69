"""/healthz and /readyz of a process that has no API: a worker's or a beat's port for probes."""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.process.listener import Listener, bind
from ingest.reason import Reason


class HealthListener:
    """Says what `reasons` and `alive` tell, from `start` to `stop`. Raises UsageError when the port is in use."""

    def __init__(self, host: str, port: int, reasons: Callable[[], list[Reason]], alive: Callable[[], bool]) -> None:
        self._reasons = reasons
        self._alive = alive
        sock = bind(host, port, "health", "--health-port")
        self._listener = Listener(sock, "health", lambda: self)
        self.url = self._listener.url

    def start(self) -> None:
        """Begin to listen."""
        self._listener.start()

    def stop(self) -> None:
        """Stop listening. Safe to call twice."""
        self._listener.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one probe."""
        if scope["type"] == "http":
            await (await self._response(scope["path"]))(scope, receive, send)

    async def _response(self, path: str) -> Response:
        if path == "/healthz":
            alive = self._alive()
            return _told({"status": "ok" if alive else "stuck"}, alive)
        if path == "/readyz":
            reasons = await run_in_threadpool(self._reasons)
            blocked = any(reason.blocks for reason in reasons)
            status = "unavailable" if blocked else "degraded" if reasons else "ready"
            told = [{"code": reason.code, "message": reason.message} for reason in reasons]
            return _told({"status": status, "reasons": told}, not blocked)
        return Response("there are /healthz and /readyz\n", 404, media_type="text/plain")


def _told(body: dict[str, object], well: bool) -> Response:
    return Response(json.dumps(body), 200 if well else 503, media_type="application/json")
