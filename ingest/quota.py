"""How many bytes a second a tenant may send, over time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import MappingProxyType

from ingest.errors import Overloaded, QuotaExceeded
from ingest.limits import Limits, bytes_per_s

# How many seconds' worth may come at once after a pause.
_BURST_S = 10.0
# Tenants whose allowance has filled up again are forgotten when there are more than this.
_MOST_TENANTS = 10_000


class Quota:
    """An allowance per tenant that fills with time. Safe to use from any thread.

    A request is let in while something is left, and its size, known when it has been read, is taken off
    afterwards: so a request larger than the whole allowance gets in too, and pays by waiting.
    """

    def __init__(
        self,
        usual: int,
        status: int,
        clock: Callable[[], float] = time.monotonic,
        limits: Limits = MappingProxyType({}),
    ) -> None:
        self._usual = usual
        self._limits = limits
        self._refused = QuotaExceeded if status == QuotaExceeded.status else Overloaded
        self._clock = clock
        # When each tenant's allowance is, or was, full again.
        self._full_at: dict[str, float] = {}
        self._lock = threading.Lock()

    def check(self, tenant: str) -> None:
        """Raises Overloaded, or QuotaExceeded where the settings say so, when the tenant has nothing left."""
        rate = self._rate(tenant)
        if rate and self._full_at.get(tenant, 0.0) - self._clock() > _BURST_S:
            raise self._refused(f"the tenant sends more than {rate} bytes a second; try again soon")

    def _rate(self, tenant: str) -> int:
        return bytes_per_s(self._limits, tenant, self._usual)

    def charge(self, tenant: str, size: int) -> None:
        """Take `size` bytes off the tenant's allowance."""
        rate = self._rate(tenant)
        if not rate:
            return
        now = self._clock()
        with self._lock:
            if len(self._full_at) >= _MOST_TENANTS:
                self._full_at = {name: at for name, at in self._full_at.items() if at > now}
            self._full_at[tenant] = max(now, self._full_at.get(tenant, 0.0)) + size / rate
