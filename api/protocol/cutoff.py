"""An answer for those whose question a store that hangs will not answer.

The store refuses new calls while a server does not answer (store.pulse). What was asked a moment before waits in a
thread that cannot be ended from outside; its client is told now, and what the thread finds later goes nowhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.protocol.problems import problem

_LOOK_S = 0.2
_AGAIN_S = "2"
# Says that the process lives, whatever the store does.
_LIVENESS = "/healthz"


class Cutoff:
    """The application `app`, but 503 for requests that have no answer yet when `answering` says no."""

    def __init__(self, app: ASGIApp, answering: Callable[[], bool]) -> None:
        self._app = app
        self._answering = answering
        self._left: set[asyncio.Future[Any]] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or scope["path"] == _LIVENESS:
            await self._app(scope, receive, send)
            return
        answer = _Answer(send)
        work = asyncio.ensure_future(self._app(scope, receive, answer.send))
        try:
            while _unanswered(work, answer):
                await asyncio.wait({work}, timeout=_LOOK_S)
                if _unanswered(work, answer) and not self._answering():
                    answer.abandoned = True
                    self._leave(work)
                    await _unavailable()(scope, receive, send)
                    return
            await work
        except asyncio.CancelledError:
            work.cancel()
            raise

    def _leave(self, work: asyncio.Future[Any]) -> None:
        self._left.add(work)

        def forget(done: asyncio.Future[Any]) -> None:
            self._left.discard(done)
            if not done.cancelled():
                done.exception()

        work.add_done_callback(forget)
        work.cancel()


class _Answer:
    """What goes to the client, until the answer is given up."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.abandoned = False

    async def send(self, message: Message) -> None:
        if not self.abandoned:
            self.begun = True
            await self._send(message)


def _unanswered(work: asyncio.Future[Any], answer: _Answer) -> bool:
    return not (work.done() or answer.begun)


def _unavailable() -> ASGIApp:
    response = problem(
        HTTPStatus.SERVICE_UNAVAILABLE, "store-unavailable", "The store does not answer", "ask again in a moment"
    )
    response.headers["Retry-After"] = _AGAIN_S
    return response
