"""Turns: what only one process may do at a time for a tenant, told by rows of correlation_turns.

ClickHouse has no locks. Whoever wants a turn writes a row, unless somebody has the turn, and looks who came first; a
row's time is the engine's. A turn ends when it is given back or, when its owner dies, by itself. In one process on an
embedded store a lock in memory is all there is to it.
"""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from correlate.errors import TurnTaken
from store import Store
from store.errors import StoreError
from store.settings import Home
from store.versions import following

# How long the turn of a process that was killed keeps others waiting. Who lives renews it well before.
LEASE_S = 20.0
_RENEW_S = 6.0
_WAIT_S = 60.0
_LONGEST_PAUSE_S = 0.25


class Turns:
    """The turns of one process: `take` one, or `ask` for one and `give_back`. Safe to use from any thread."""

    def __init__(self) -> None:
        # This process, among those that want turns.
        self._owner = uuid.uuid4().hex
        self._locks: dict[tuple[str, str], threading.RLock] = defaultdict(threading.RLock)
        self._depth: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def take(
        self, store: Store, tenant: str, name: str, *, wait_s: float = _WAIT_S, rest_s: float = 0.0
    ) -> Iterator[None]:
        """Do something that nobody else does meanwhile; may be nested in one thread.

        No other process does it within `rest_s` seconds of the begin. Raises TurnTaken when it is not free within
        `wait_s` seconds, StoreError.
        """
        key = (tenant, name)
        if not self._locks[key].acquire(timeout=max(wait_s, 0.001)):
            raise TurnTaken(f"{name} of {tenant!r} is being done in this process")
        try:
            self._depth[key] += 1
            if store.home is Home.EMBEDDED or self._depth[key] > 1:
                yield
            else:
                with self._held(store, tenant, name, wait_s, rest_s):
                    yield
        finally:
            self._depth[key] -= 1
            self._locks[key].release()

    @contextmanager
    def _held(self, store: Store, tenant: str, name: str, wait_s: float, rest_s: float) -> Iterator[None]:
        claimed, began = self._wait(store, tenant, name, wait_s), time.monotonic()
        over = threading.Event()
        renewal = threading.Thread(
            target=self._renew, args=(store, tenant, name, claimed, over), name=f"turn-{name}", daemon=True
        )
        renewal.start()
        try:
            yield
        finally:
            over.set()
            renewal.join()
            self.give_back(store, tenant, name, claimed, rest_s=max(0.0, rest_s - (time.monotonic() - began)))

    def ask(self, store: Store, tenant: str, name: str, lease_s: float | None = None) -> int | None:
        """When this process has the turn, the moment it got it (nanoseconds since the epoch); None when another has."""
        params = {"tenant": tenant, "turn": name}
        lease_ms = round(1000 * (LEASE_S if lease_s is None else lease_s))
        mine = params | {"owner": self._owner, "lease": lease_ms, "version": following()}
        store.execute("turn_ask", mine)
        rows = store.rows("turn_first", params)
        if rows and rows[0]["owner"] == self._owner:
            return int(rows[0]["claimed"])
        # Somebody came a moment before: a row that was written must not stand in line.
        store.execute("turn_keep", mine | {"claimed": time.time_ns(), "lease": 0, "version": following()})
        return None

    def give_back(self, store: Store, tenant: str, name: str, claimed: int, *, rest_s: float = 0.0) -> None:
        """End a turn, `rest_s` seconds from now. A store that does not answer ends it when its lease does."""
        params = {
            "tenant": tenant, "turn": name, "owner": self._owner, "claimed": claimed, "lease": round(rest_s * 1000),
            "version": following(),
        }  # fmt: skip
        with suppress(StoreError):
            store.execute("turn_keep", params)

    def _wait(self, store: Store, tenant: str, name: str, wait_s: float) -> int:
        deadline, pause_s = time.monotonic() + wait_s, 0.01
        while (claimed := self.ask(store, tenant, name)) is None:
            if time.monotonic() > deadline:
                raise TurnTaken(f"{name} of {tenant!r} is being done by another process")
            # Not in step with others that wait.
            time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        return claimed

    def _renew(self, store: Store, tenant: str, name: str, claimed: int, over: threading.Event) -> None:
        while not over.wait(_RENEW_S):
            self.give_back(store, tenant, name, claimed, rest_s=LEASE_S)


_here = Turns()
turn = _here.take
