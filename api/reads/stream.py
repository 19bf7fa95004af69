"""Changes of incidents as they happen: the histories of all incidents, followed.

One task asks the store once a second, however many clients follow, whether there is anything new; only then does each
client read its own part. An event's id is the entry's version and its number in that: a client that comes back with
the last id it saw misses nothing and sees nothing twice.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from api.errors import BadParameter, TooMany
from api.times import format_time
from store import Store
from store.errors import StoreError

_MS = 1_000_000
_ID = re.compile(r"^(\d{1,19})\.(\d{1,9})$", re.ASCII)
_LARGEST = 2**63 - 1
_PAGE = 500


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """The last entry that a client has: its version, and its number among those of that version."""

    version: int = 0
    number: int = 0

    def __str__(self) -> str:
        return f"{self.version}.{self.number}"

    @classmethod
    def parse(cls, text: str) -> Position:
        """From an event's id. Raises BadParameter."""
        match = _ID.match(text)
        if match is None or int(match[1]) > _LARGEST:
            raise BadParameter("Last-Event-ID", "not an id that this stream gave")
        return cls(int(match[1]), int(match[2]))


@dataclass
class Stream:
    """The clients that follow one tenant's incidents; belongs to the API's event loop."""

    store: Store
    tenant: str
    most_clients: int = 50
    every_s: float = 1.0
    heartbeat_s: float = 15.0
    clients: int = 0
    _newest: int = 0
    _asked_at: float = 0.0
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def enter(self) -> None:
        """Take a place. Raises TooMany when there is none."""
        if self.clients >= self.most_clients:
            raise TooMany(f"{self.clients} clients follow already; try again later")
        self.clients += 1

    def leave(self) -> None:
        """Give the place back."""
        self.clients -= 1

    async def follow(self, since: Position | None, may: Callable[[], bool]) -> AsyncIterator[ServerSentEvent]:
        """Entries after `since`, or from now on, and a comment whenever nothing was said for a while.

        It ends when the client `may` not follow any more.
        """
        seen = since or Position(await run_in_threadpool(self._latest), _LARGEST)
        yield ServerSentEvent(comment="following", retry=3000)
        said = time.monotonic()
        while may():
            entries = await self._after(seen)
            for row in entries:
                seen = Position(row["version"], row["number"])
                yield ServerSentEvent(data=_entry(row), event="incident", id=str(seen))
                said = time.monotonic()
            if time.monotonic() - said >= self.heartbeat_s:
                yield ServerSentEvent(comment="still here")
                said = time.monotonic()
            if len(entries) < _PAGE:
                await asyncio.sleep(self.every_s)

    async def _after(self, seen: Position) -> list[dict[str, Any]]:
        try:
            if await self._known() < seen.version:
                return []
            return await run_in_threadpool(self.after, seen)
        except StoreError:
            # The store is away; whoever follows need not come back for that.
            return []

    async def _known(self) -> int:
        """The newest version, asked for at most once in `every_s`."""
        async with self._asking:
            if time.monotonic() - self._asked_at >= self.every_s * 0.9:
                self._newest = await run_in_threadpool(self._latest)
                self._asked_at = time.monotonic()
            return self._newest

    def _latest(self) -> int:
        return int(self.store.rows("journal_newest", {"tenant": self.tenant})[0]["version"])

    def after(self, seen: Position) -> list[dict[str, Any]]:
        """Entries behind a position, oldest first, a page of them."""
        behind = {"version": seen.version, "number": seen.number}
        return self.store.rows("journal_after", {"tenant": self.tenant, **behind, "limit": _PAGE})


@dataclass
class Streams:
    """Each tenant's stream, made when somebody follows it."""

    store: Store
    most_clients: int = 50
    _by_tenant: dict[str, Stream] = field(default_factory=dict)

    def of(self, tenant: str) -> Stream:
        """The tenant's own."""
        # Those that nobody follows hold nothing that cannot be asked for again.
        self._by_tenant = {name: stream for name, stream in self._by_tenant.items() if stream.clients or name == tenant}
        return self._by_tenant.setdefault(tenant, Stream(self.store, tenant, self.most_clients))


def _entry(row: dict[str, Any]) -> dict[str, Any]:
    told = ("incident_id", "kind", "other", "before", "after", "who", "text")
    return {
        "time": format_time(row["at"] * _MS),
        "href": f"/api/v1/incidents/{row['incident_id']}",
        **{name: row[name] for name in told},
    }
