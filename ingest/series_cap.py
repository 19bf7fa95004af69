"""The cap on metric series of a tenant: one that makes a new series of every request would fill disk and memory.

Which series are new only the engine knows, and asking costs it a read of the last hour. So a tenant is looked at
once it has sent enough for a tenth of the series it may have, and what it sends in between may go over the cap.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from types import MappingProxyType

from ingest.limits import Limits
from ingest.limits import series as series_of
from ingest.settings import IngestSettings
from store import Store, batches, series

_log = logging.getLogger(__name__)
# A point of its own series takes more bytes than this, so fewer bytes cannot hold more series.
_LEAST_BYTES = 20
# A tenant is let out below this share of the cap, so that it does not go in and out.
_ENOUGH = 0.9
_HOUR_MS = 3_600_000


class SeriesCap:
    """Which tenants have too many series. `charge` from any thread, `look` from one."""

    def __init__(self, store: Store, settings: IngestSettings, limits: Limits = MappingProxyType({})) -> None:
        self._store = store
        self._usual = settings.max_series
        self._limits = limits
        self._sent: Counter[str] = Counter()
        self._lock = threading.Lock()
        self.capped: frozenset[str] = frozenset()

    def charge(self, tenant: str, size: int) -> None:
        """A tenant has sent so many bytes of metrics."""
        if self._most(tenant):
            with self._lock:
                self._sent[tenant] += size

    def _most(self, tenant: str) -> int:
        return series_of(self._limits, tenant, self._usual)

    def look(self) -> None:
        """Cap who has too many series, and let out who has not any more. Raises StoreError."""
        self.capped = series.capped(self._store)
        since = batches.first_at(time.time_ns() // 1_000_000 - _HOUR_MS)
        for tenant in sorted({*self._due(), *self.capped}):
            most = self._most(tenant)
            active = series.active(self._store, tenant, since) if most else 0
            if tenant in self.capped and (not most or active < _ENOUGH * most):
                series.uncap(self._store, tenant)
                self.capped -= {tenant}
                _log.warning("the tenant %s has fewer series again: new ones are stored", tenant)
            elif tenant not in self.capped and active > most:
                series.cap(self._store, tenant, since, most)
                self.capped |= {tenant}
                _log.warning("the tenant %s has %d series in an hour: new ones are refused", tenant, active)

    def _due(self) -> list[str]:
        with self._lock:
            due = [tenant for tenant, size in self._sent.items() if size * 10 >= self._most(tenant) * _LEAST_BYTES]
            for tenant in due:
                del self._sent[tenant]
            return due
