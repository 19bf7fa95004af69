"""Who sent items that had to be refused lately: what they send next goes where items can be refused at once.

Elsewhere such an item fails the whole insert, which is then made again with care. That should happen to a tenant's
neighbours once in a while, not with every batch.
"""

from __future__ import annotations

import time

from ingest.envelope import Signal

_SECONDS = 60.0


class Careful:
    """Tenants and signals to be careful with. Safe to use from any thread."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, Signal], float] = {}

    def mark(self, tenant: str, signal: Signal) -> None:
        """Something of the tenant's may have to be refused for the next minute."""
        self._until[tenant, signal] = time.monotonic() + _SECONDS

    def with_(self, tenant: str, signal: Signal) -> bool:
        """Whether to be careful with what the tenant sends now."""
        return self._until.get((tenant, signal), 0.0) > time.monotonic()
