"""Answering with 500 what a defect of ours broke."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from types import TracebackType

from ingest.errors import IngestError

_log = logging.getLogger(__name__)


class Defects:
    """Refuses a request that a defect of ours broke, and logs it; the server would cut the connection."""

    def __init__(self, refuse: Callable[[IngestError], Awaitable[None]]) -> None:
        self._refuse = refuse

    async def __aenter__(self) -> None:
        """Nothing has gone wrong yet."""

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        _log.error("a request failed", exc_info=error)
        await self._refuse(IngestError("internal error"))
        return True
