"""Turns: what only one process may do at a time for a tenant, told by rows of correlation_turns.

ClickHouse has no locks. Whoever wants a turn writes a row, unless somebody has the turn, and looks who came first; a
row's time is the engine's. A turn ends when it is given back or, when its owner dies, by itself. In one process on an
embedded store a lock in memory is all there is to it.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from correlate.errors import TurnTaken
from store import Store
from store.errors import StoreError
from store.settings import Home

_log = logging.getLogger(__name__)
# How long the turn of a process that was killed keeps others waiting. Who lives renews it well before.
LEASE_S = 20.0
_RENEW_S = 6.0
_WAIT_S = 60.0
_LONGEST_PAUSE_S = 0.25

# This process, among those that want turns.
_owner = uuid.uuid4().hex
_locks: dict[tuple[str, str], threading.RLock] = defaultdict(threading.RLock)
_depth: dict[tuple[str, str], int] = defaultdict(int)
_versions = threading.Lock()
_last_version = 0


@contextmanager
def turn(store: Store, tenant: str, name: str, *, wait_s: float = _WAIT_S, rest_s: float = 0.0) -> Iterator[None]:
    """Do something that nobody else does meanwhile; may be nested in one thread.

    No other process does it within `rest_s` seconds of the begin. Raises TurnTaken when it is not free within
    `wait_s` seconds, StoreError.
    """
    key = (tenant, name)
    if not _locks[key].acquire(timeout=max(wait_s, 0.001)):
        raise TurnTaken(f"{name} of {tenant!r} is being done in this process")
    try:
        if store.home is Home.EMBEDDED or _depth[key]:
            _depth[key] += 1
            try:
                yield
            finally:
                _depth[key] -= 1
            return
        claimed, began = _wait(store, tenant, name, wait_s), time.monotonic()
        over = threading.Event()
        renewal = threading.Thread(
            target=_renew, args=(store, tenant, name, claimed, over), name=f"turn-{name}", daemon=True
        )
        renewal.start()
        _depth[key] += 1
        try:
            yield
        finally:
            _depth[key] -= 1
            over.set()
            renewal.join()
            give_back(store, tenant, name, claimed, rest_s=max(0.0, rest_s - (time.monotonic() - began)))
    finally:
        _locks[key].release()


def try_turn(store: Store, tenant: str, name: str, lease_s: float = LEASE_S) -> int | None:
    """When this process has the turn, the moment it got it (nanoseconds since the epoch); None when another has."""
    params = {"tenant": tenant, "turn": name}
    mine = params | {"owner": _owner, "lease": round(lease_s * 1000), "version": _version()}
    store.execute("turn_ask", mine)
    rows = store.rows("turn_first", params)
    if rows and rows[0]["owner"] == _owner:
        return int(rows[0]["claimed"])
    # Somebody came a moment before: the row that was written must not stand in line.
    store.execute("turn_keep", mine | {"claimed": time.time_ns(), "lease": 0, "version": _version()})
    return None


def give_back(store: Store, tenant: str, name: str, claimed: int, *, rest_s: float = 0.0) -> None:
    """End a turn, `rest_s` seconds from now. A store that does not answer ends it when its lease does."""
    params = {
        "tenant": tenant, "turn": name, "owner": _owner, "claimed": claimed, "lease": round(rest_s * 1000),
        "version": _version(),
    }  # fmt: skip
    with suppress(StoreError):
        store.execute("turn_keep", params)


def _wait(store: Store, tenant: str, name: str, wait_s: float) -> int:
    deadline, pause_s = time.monotonic() + wait_s, 0.01
    while (claimed := try_turn(store, tenant, name)) is None:
        if time.monotonic() > deadline:
            raise TurnTaken(f"{name} of {tenant!r} is being done by another process")
        # Not in step with others that wait.
        time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
        pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
    return claimed


def _renew(store: Store, tenant: str, name: str, claimed: int, over: threading.Event) -> None:
    while not over.wait(_RENEW_S):
        give_back(store, tenant, name, claimed, rest_s=LEASE_S)


def _version() -> int:
    """A number above every one before it, whatever the clock does."""
    global _last_version
    with _versions:
        _last_version = max(_last_version + 1, time.time_ns())
        return _last_version
