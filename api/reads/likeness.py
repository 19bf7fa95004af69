"""Earlier incidents that one is like: the cosine between the kinds of their signals.

Causes count three times, and a kind counts less the more incidents have it. What kinds an incident has is read once
for each of its versions: earlier incidents seldom change, and joining the signals of hundreds is what costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from api.times import LATEST_NS, onsets
from store import ONE_THREAD, Store

# So many earlier incidents are compared, the latest ones.
AMONG = 500
# Less alike than this is worth nobody's time.
_LIKE = 0.3
_SHOWN = 5
# How much is kept: incidents of a tenant, and tenants. What is missing is read for that many incidents at once: whoever
# opens one incident opens those before it next, and each would miss the one that it alone is compared with.
_KEPT, _TENANTS = 2 * AMONG, 64


class Held(NamedTuple):
    """Kinds of an incident's signals, none twice, and what part each plays: 3 for a cause, 1 for an effect."""

    version: int
    kinds: NDArray[np.uint64]
    parts: NDArray[np.uint8]


def _bare(version: int) -> Held:
    return Held(version, np.empty(0, np.uint64), np.empty(0, np.uint8))


@dataclass(slots=True)
class Kinds:
    """Kinds of signals by incident and version, of several tenants. Safe to use from many threads.

    Two threads may read the same; both find the same.
    """

    _known: dict[str, dict[str, Held]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, store: Store, tenant: str, incident_id: str, incidents: pa.Table, started: int) -> list[Held]:
        """Of each of `incidents` (id, version, ...), which were asked for with `incident_id` and `started`.

        Raises StoreError.
        """
        known = self._known.get(tenant, {})
        if _missing(known, incidents).num_rows:
            # One that was stored between the two answers is read next time.
            ahead = _earlier(store, tenant, incident_id, started, _KEPT)
            # An open incident has a new version with each pass; what it was before is not kept.
            known = known | _read(store, tenant, _missing(known, ahead))
            self._keep(tenant, known, set(ahead["id"].to_pylist()))
        return [known.get(each, _bare(0)) for each in incidents["id"].to_pylist()]

    def _keep(self, tenant: str, known: dict[str, Held], latest: set[str]) -> None:
        if len(known) > _KEPT:
            known = {each: held for each, held in known.items() if each in latest}
        with self._lock:
            self._known.pop(tenant, None)
            self._known[tenant] = known
            while len(self._known) > _TENANTS:
                del self._known[next(iter(self._known))]


def _missing(known: dict[str, Held], incidents: pa.Table) -> pa.Table:
    """Those of `incidents` that are not known as they are now."""
    versions = zip(incidents["id"].to_pylist(), incidents["version"].to_pylist(), strict=True)
    new = [each not in known or known[each].version != now for each, now in versions]
    return incidents.filter(pa.array(new, pa.bool_()))


def _earlier(store: Store, tenant: str, incident_id: str, started: int, among: int) -> pa.Table:
    asked = {"tenant": tenant, "id": incident_id, "before": started, "among": among}
    return store.arrow("incident_earlier", asked, ONE_THREAD)


def _read(store: Store, tenant: str, incidents: pa.Table) -> dict[str, Held]:
    """What kinds those have; one may have none."""
    if not incidents.num_rows:
        return {}
    ids = incidents["id"].to_pylist()
    versions = dict(zip(ids, incidents["version"].to_pylist(), strict=True))
    asked = {"tenant": tenant, "ids": ids, **onsets(min(incidents["started"].to_pylist()), LATEST_NS)}
    found = store.arrow("incident_kinds", asked).to_batches()
    return {each: _bare(version) for each, version in versions.items()} | {
        each.as_py(): Held(versions[each.as_py()], np.array(kinds.values), np.array(parts.values))
        for batch in found
        for each, kinds, parts in zip(batch["id"], batch["kinds"], batch["parts"], strict=True)
    }


def alike(store: Store, tenant: str, kinds: Kinds, incident_id: str, started: int) -> list[dict[str, Any]]:
    """Incidents before `started` that are like this one, likest first, as rows with `similarity`. Raises StoreError."""
    latest = _earlier(store, tenant, incident_id, started, AMONG)
    # The incident itself comes first, the others from the latest on.
    if not latest.num_rows or latest["id"][0].as_py() != incident_id:
        return []
    similar = likeness(kinds.of(store, tenant, incident_id, latest, started))
    order = np.argsort(-similar, kind="stable")
    best = order[(order > 0) & (similar[order] >= _LIKE)][:_SHOWN]
    found: list[dict[str, Any]] = latest.take(best).append_column("similarity", pa.array(similar[best])).to_pylist()
    return found


def likeness(incidents: Sequence[Held]) -> NDArray[np.float64]:
    """How alike each of `incidents` is to the first one, from 0 to 1."""
    kinds, column = np.unique(np.concatenate([each.kinds for each in incidents]), return_inverse=True)
    sizes = np.array([each.kinds.size for each in incidents])
    row = np.repeat(np.arange(sizes.size), sizes)
    among = np.count_nonzero(sizes)
    weights = np.log1p(among / np.maximum(1, np.bincount(column, minlength=kinds.size)))
    x = np.concatenate([each.parts for each in incidents]) * weights[column]
    own = np.zeros(kinds.size)
    own[column[: sizes[0]]] = x[: sizes[0]]
    norms = np.sqrt(np.bincount(row, x * x, sizes.size))
    lengths = norms * norms[0]
    dots = np.bincount(row, x * own[column], sizes.size)
    similar: NDArray[np.float64] = np.divide(dots, lengths, out=np.zeros(sizes.size), where=lengths > 0)
    return similar.round(4)
