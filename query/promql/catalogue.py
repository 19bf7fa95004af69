"""Which metrics and series there are: names for a few seconds, identities for good, as a hash never names another."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from query.errors import QueryLimitExceeded
from query.promql.naming import REMOTE_WRITE_SCOPE, Identity, Kind, series_labels
from query.promql.points import column
from query.promql.settings import PromqlSettings
from query.promql.values import Ints
from store import Store

# How long names are believed; a name that is not among them is asked for again at once.
_NAMES_FOR_S = 10.0
_MOST_IDENTITIES = 500_000
_HOUR_MS = 3_600_000
# More hashes than this make a request's address too long for a server, and filter little.
MOST_HASHES = 20_000

Names = dict[Kind, list[str]]


@dataclass(slots=True)
class Catalogue:
    """What a store's series are called, remembered between queries and shared by them; safe for threads."""

    store: Store
    settings: PromqlSettings
    _names: dict[tuple[str, int, int], tuple[float, Names]] = field(default_factory=dict)
    _identities: dict[tuple[str, Kind, int], Identity] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def names(self, tenant: str, start: int, end: int, *, fresh: bool = False) -> Names:
        """Metrics with points in (start, end], milliseconds, to the hour; `fresh` believes nothing older than now."""
        first, last = start // _HOUR_MS, end // _HOUR_MS + 1
        known = self._names.get((tenant, first, last))
        now = time.monotonic()
        if known is not None and not fresh and now - known[0] < _NAMES_FOR_S:
            return known[1]
        params = {"tenant": tenant, "start": first * _HOUR_MS - 1, "end": last * _HOUR_MS}
        found: Names = {}
        for row in self.store.rows("promql_names", params):
            found.setdefault(Kind(row["kind"]), []).append(row["name"])
        with self._lock:
            if len(self._names) > 1000:
                self._names.clear()
            self._names[(tenant, first, last)] = (now, found)
        return found

    def hashes(self, tenant: str, kind: Kind, names: Sequence[str], start: int, end: int) -> Ints:
        """Series of some metrics with points in (start, end]. Raises QueryLimitExceeded."""
        most = self.settings.max_series
        params = {
            "table": f"otel_metrics_{kind}", "tenant": tenant, "names": list(names), "start": start, "end": end,
            "limit": most + 1,
        }  # fmt: skip
        found = column(self.store.arrow("promql_hashes", params), "hash")
        if len(found) > most:
            raise QueryLimitExceeded(f"more than {most} series for one selector")
        return np.asarray(found)

    def identities(
        self, tenant: str, kind: Kind, names: Sequence[str], hashes: Iterable[int], start: int, end: int
    ) -> dict[int, Identity]:
        """What series are, by their hashes."""
        wanted = [int(each) for each in hashes]
        unknown = [each for each in wanted if (tenant, kind, each) not in self._identities]
        for at in range(0, len(unknown), MOST_HASHES):
            self._learn(tenant, kind, names, unknown[at : at + MOST_HASHES], start, end)
        pairs = ((each, self._identities.get((tenant, kind, each))) for each in wanted)
        return {each: identity for each, identity in pairs if identity is not None}

    def _learn(self, tenant: str, kind: Kind, names: Sequence[str], hashes: list[int], start: int, end: int) -> None:
        params = {"tenant": tenant, "names": list(names), "hashes": hashes, "start": start, "end": end}
        rows = self.store.rows(f"promql_series_{kind}", params)
        found = {(tenant, kind, int(row["hash"])): self._identity(kind, row) for row in rows}
        with self._lock:
            if len(self._identities) + len(found) > _MOST_IDENTITIES:
                self._identities = {}
            self._identities |= found

    def _identity(self, kind: Kind, row: dict[str, object]) -> Identity:
        resource, attributes = dict(row["resource"]), dict(row["attributes"])  # type: ignore[call-overload]
        foreign = row["scope"] == REMOTE_WRITE_SCOPE or bool(row["prometheus_type"])
        return Identity(
            kind=kind,
            metric=str(row["metric"]),
            unit=str(row["unit"]),
            monotonic=bool(row["monotonic"]),
            delta=bool(row["delta"]),
            foreign=foreign,
            labels=series_labels(resource, attributes, self.settings.promoted, foreign=foreign),
            resource=resource | attributes,
        )
