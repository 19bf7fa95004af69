"""Queries that end when nobody waits for their answer any more.

Whoever answers a request does so inside `asking`, and every query of it carries its mark, in threads with a copy of
the context, too. `cancel` ends those that still run, and those that the request goes on to make.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from store import sql
from store.errors import QueryCancelled

if TYPE_CHECKING:
    from store.client import Store

# A query that has only just been sent is not among the running ones yet.
_TRIES, _PAUSE_S = 5, 0.2

_mark: ContextVar[str] = ContextVar("mark", default="")
_lock = threading.Lock()
_running: Counter[str] = Counter()
_cancelled: set[str] = set()


@contextmanager
def asking() -> Iterator[str]:
    """Queries made inside, and by threads with a copy of the context, carry the mark that this gives."""
    mark = secrets.token_hex(16)
    before = _mark.set(mark)
    try:
        yield mark
    finally:
        _mark.reset(before)
        with _lock:
            _cancelled.discard(mark)


@contextmanager
def marked(settings: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
    """A query's settings with the mark of whoever asks, while it runs. Raises QueryCancelled when nobody does now."""
    mark, found = _mark.get(), dict(settings or {})
    if not mark:
        yield found
        return
    with _lock:
        if mark in _cancelled:
            raise QueryCancelled("query: nobody waits for the answer")
        _running[mark] += 1
    try:
        yield found | {"log_comment": mark}
    finally:
        with _lock:
            _running[mark] -= 1
            if not _running[mark]:
                del _running[mark]


def cancel(store: Store, mark: str) -> None:
    """End the queries of this process that carry `mark`. Raises StoreError."""
    with _lock:
        _cancelled.add(mark)
    for _ in range(_TRIES):
        if mark not in _running:
            return
        # Not one of the pool's handles: all of them may be waiting for queries like these.
        store.aside(sql.load("cancel_queries"), {"mark": mark})
        time.sleep(_PAUSE_S)
