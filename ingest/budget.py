"""A bound on the bytes of request bodies held at once, together and by tenant."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable

from ingest.errors import Overloaded
from store.settings import DEFAULT_TENANT


class Budget:
    """Bytes that bodies may occupy together, and of them any one tenant's. Safe to use from any thread.

    `admit` is asked once for each request, before it may hold anything, and raises Overloaded to refuse it.
    """

    def __init__(self, limit: int, share: float = 1.0, admit: Callable[[str], None] | None = None) -> None:
        self._limit = limit
        self._tenant_limit = int(limit * share)
        self._admit = admit
        self._used = 0
        self._by_tenant: Counter[str] = Counter()
        self._lock = threading.Lock()

    @property
    def used(self) -> int:
        """Bytes held now."""
        return self._used

    def used_by(self, tenant: str) -> int:
        """Bytes held now for a tenant."""
        return self._by_tenant[tenant]

    def hold(self, tenant: str = DEFAULT_TENANT) -> Hold:
        """A hold on nothing yet."""
        return Hold(self, tenant)

    def _change(self, tenant: str, held: int, size: int) -> None:
        by = size - held
        if by > 0 and not held and self._admit is not None:
            self._admit(tenant)
        with self._lock:
            used = self._by_tenant[tenant] + by
            if by > 0 and (self._used + by > self._limit or used > self._tenant_limit):
                raise Overloaded("too many bytes of telemetry are in flight; try again soon")
            self._used += by
            if used:
                self._by_tenant[tenant] = used
            else:
                del self._by_tenant[tenant]


class Hold:
    """One request's share of the budget, and whose request it is."""

    def __init__(self, budget: Budget, tenant: str) -> None:
        self._budget = budget
        self.tenant = tenant
        self._size = 0

    def resize(self, size: int) -> None:
        """Hold `size` bytes from now on. Raises Overloaded, holding what was held, when there is no room."""
        self._budget._change(self.tenant, self._size, size)
        self._size = size

    def release(self) -> None:
        """Give everything back. Safe to call twice."""
        self.resize(0)
