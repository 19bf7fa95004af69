"""Writes that the embedded engine could not make.

It goes on as if it had made them: an insert into a full disk succeeds, leaves files that are cut short, and its rows
are gone with the next start (chdb-core 26.9.0; a part is put aside then as `broken-on-start`). It only counts such
writes, for the whole process: https://clickhouse.com/docs/operations/system-tables/events
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock

from store.errors import StoreUnavailable


class Unwritten:
    """Tells a change during which a write failed. Safe to use from many threads.

    A failed write of a merge in the background, or of another's change, is held against every change of that time: each
    of them may have lost something, and is made again.
    """

    def __init__(self, count: Callable[[], int]) -> None:
        self._count = count
        self._seen = self._first = count()
        self._lock = Lock()

    @property
    def failed(self) -> int:
        """How many writes have failed since this was made, as far as changes have looked."""
        return self._seen - self._first

    @contextmanager
    def told(self, what: str) -> Iterator[None]:
        """Around a change. Raises StoreUnavailable when a write failed meanwhile, and what counting raises."""
        before = self._seen
        yield
        now = self._count()
        with self._lock:
            self._seen = max(self._seen, now)
        if now > before:
            raise StoreUnavailable(f"{what}: the disk did not take all that was written")
