"""A bound on the bytes of request bodies held at once."""

from __future__ import annotations

import threading

from ingest.errors import Overloaded


class Budget:
    """Bytes that bodies may occupy together. Safe to use from any thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used = 0
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    def hold(self) -> Hold:
        """A hold on nothing yet."""
        return Hold(self)

    def _change(self, by: int) -> None:
        with self._lock:
            if by > 0 and self._used + by > self._limit:
                raise Overloaded("too many bytes of telemetry are in flight; try again soon")
            self._used += by


class Hold:
    """One request's share of the budget."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._size = 0

    def resize(self, size: int) -> None:
        """Hold `size` bytes from now on. Raises Overloaded, holding what was held, when there is no room."""
        self._budget._change(size - self._size)
        self._size = size

    def release(self) -> None:
        """Give everything back. Safe to call twice."""
        self.resize(0)
