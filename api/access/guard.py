"""The door of the API: nobody's body is read, and no route is found, before it is known who asks and what he may.

A plain ASGI application around the API. It leaves the principal in the request's state, where api.deps finds it.
"""

from __future__ import annotations

import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.access import rules, secret
from api.access.access import Access, denial, needs
from api.access.scopes import Principal
from api.access.scopes import Scope as Permission
from api.protocol.problems import problem
from ingest.errors import IngestError, Unauthenticated
from store.audit import Entry

_REQUEST_ID = re.compile(r"^[A-Za-z0-9._-]{1,64}$", re.ASCII)
_LONGEST_PATH = 300
# The page that describes the API loads a script.
_PAGES = "/docs"
# Whoever may write or administer leaves a trace of it.
_TRACED = frozenset({Permission.OPERATE, Permission.ADMIN})


class Guard:
    """Answers 401 and 403 itself, and passes on what may pass."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request in, or not."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        send = _with_headers(send, request_id, scope["path"])
        if scope["path"] in rules.OPEN:
            await self._app(scope, receive, send)
            return
        permission = rules.needed(scope["method"], scope["path"])
        who: Principal | None = None
        try:
            who = await self._identify(scope, headers)
            needs(who, permission)
        except IngestError as error:
            await self._refuse(scope, receive, send, who, permission, error, request_id)
            return
        scope.setdefault("state", {})["principal"] = who
        await self._passed(scope, receive, send, who, permission, request_id)

    async def _identify(self, scope: Scope, headers: Headers) -> Principal:
        if self._access.on:
            secret.refuse_in_url(scope["path"], scope.get("query_string", b""))
        given = headers.getlist("authorization")
        if len(given) > 1 and self._access.on:
            raise Unauthenticated("one Authorization header is enough")
        return await self._access.identify_anyone(given[0] if given else "")

    async def _passed(
        self, scope: Scope, receive: Receive, send: Send, who: Principal, permission: Permission, request_id: str
    ) -> None:
        if not self._access.on or not (permission in _TRACED or who.may(Permission.ADMIN)):
            await self._app(scope, receive, send)
            return
        status = 500

        async def seen(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, seen)
        finally:
            self._access.audit.add(_entry(scope, who, permission, status, request_id))

    async def _refuse(
        self, scope: Scope, receive: Receive, send: Send, who: Principal | None, permission: Permission,
        error: IngestError, request_id: str,
    ) -> None:  # fmt: skip
        address = _address(scope)
        refusals = self._access.refusals
        if refusals.too_many(address):
            answer = problem(429, "too-many", "Too many requests or streams", "too many refused requests")
            answer.headers["Retry-After"] = "5"
        elif isinstance(error, Unauthenticated):
            answer = problem(401, "unauthenticated", "An access key is needed", str(error))
            answer.headers["WWW-Authenticate"] = 'Bearer realm="causeline"'
        else:
            answer = problem(403, "forbidden", "The access key does not allow this", str(error))
        if refusals.worth_telling(address):
            action, path = scope["method"], secret.masked(scope["path"][:_LONGEST_PATH])
            entry = denial(who, self._access.home, permission, action, path, error, address, request_id)
            self._access.audit.add(entry)
        await answer(scope, receive, send)


def _entry(scope: Scope, who: Principal, permission: Permission, status: int, request_id: str) -> Entry:
    route: Any = scope.get("route")
    template = getattr(route, "path", "") or "unknown"
    return Entry(
        at=time.time_ns() // 1_000_000,
        tenant=who.tenant,
        who=who.name,
        scope=permission.value,
        action=f"{scope['method']} {template}",
        object=secret.masked(scope["path"][:_LONGEST_PATH]),
        decision="allowed",
        status=status,
        reason="",
        address=_address(scope),
        request_id=request_id,
    )


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("unknown", 0))[0])


def _request_id(headers: Headers) -> str:
    """The caller's own, so that its logs and ours can be joined, if it looks like one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.match(given) else uuid.uuid4().hex


def _with_headers(send: Send, request_id: str, path: str) -> Send:
    """What every answer has; texts in them are telemetry's, so that nothing in them may run in a browser (A26)."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = request_id
            headers["x-content-type-options"] = "nosniff"
            if not path.startswith(_PAGES):
                headers["content-security-policy"] = "default-src 'none'; frame-ancestors 'none'"
        await send(message)

    return sending
