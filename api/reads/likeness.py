"""Earlier incidents that one is like: the cosine between the kinds of their signals.

Causes count three times, and a kind counts less the more incidents have it. What kinds an incident has is read once
for each of its versions: earlier incidents seldom change, and joining the signals of hundreds is what costs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import polars as pl

from api.times import LATEST_NS, onsets
from store import Store

# So many earlier incidents are compared, the latest ones.
AMONG = 500
# Less alike than this is worth nobody's time.
_LIKE = 0.3
_SHOWN = 5
# How much is kept: incidents of a tenant, and tenants.
_KEPT, _TENANTS = 4 * AMONG, 64
_KINDS = {"id": pl.String(), "version": pl.UInt64(), "kind": pl.UInt64(), "part": pl.UInt8()}


@dataclass(slots=True)
class Kinds:
    """Kinds of signals by incident and version, of several tenants. Safe to use from many threads.

    Two threads may read the same; both find the same.
    """

    _known: dict[str, pl.DataFrame] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def of(self, store: Store, tenant: str, incidents: pl.DataFrame) -> pl.DataFrame:
        """(id, kind, part) of `incidents` (id, version, started). Raises StoreError."""
        known = self._known.get(tenant, pl.DataFrame(schema=_KINDS))
        wanted = incidents.join(known, on=["id", "version"], how="anti")
        if not wanted.is_empty():
            # An open incident has a new version with each pass; what it was before is not kept.
            known = pl.concat([known.join(wanted, on="id", how="anti"), _read(store, tenant, wanted)])
            self._keep(tenant, known, incidents)
        return known.join(incidents, on=["id", "version"], how="semi").filter(pl.col("part") > 0)

    def _keep(self, tenant: str, known: pl.DataFrame, incidents: pl.DataFrame) -> None:
        if known["id"].n_unique() > _KEPT:
            known = known.join(incidents, on=["id", "version"], how="semi")
        with self._lock:
            self._known.pop(tenant, None)
            self._known[tenant] = known
            while len(self._known) > _TENANTS:
                del self._known[next(iter(self._known))]


def _read(store: Store, tenant: str, incidents: pl.DataFrame) -> pl.DataFrame:
    """Their kinds, and for each incident a row that plays no part: it is known, though it may have no signals."""
    earliest = int(incidents.select(pl.col("started").min()).item())
    asked = {"tenant": tenant, "ids": incidents["id"].to_list(), **onsets(earliest, LATEST_NS)}
    found = store.frame("incident_kinds", asked).collect().join(incidents.select("id", "version"), on="id")
    seen = incidents.select("id", "version", kind=pl.lit(0), part=pl.lit(0))
    return pl.concat([rows.select(pl.col(name).cast(kind) for name, kind in _KINDS.items()) for rows in (found, seen)])


def alike(store: Store, tenant: str, kinds: Kinds, incident_id: str, started: int) -> list[dict[str, Any]]:
    """Incidents before `started` that are like this one, likest first, as rows with `similarity`. Raises StoreError."""
    asked = {"tenant": tenant, "id": incident_id, "before": started, "among": AMONG}
    latest = store.frame("incident_earlier", asked).collect()
    return (
        likeness(kinds.of(store, tenant, latest), incident_id)
        .filter(pl.col("similarity") >= _LIKE)
        .join(latest.filter(pl.col("started") < started), on="id")
        .sort("similarity", "started", "id", descending=[True, True, False])
        .head(_SHOWN)
        .to_dicts()
    )


def likeness(kinds: pl.DataFrame, incident_id: str) -> pl.DataFrame:
    """(id, similarity) of all other incidents of `kinds` (id, kind, part) that share a kind with this one."""
    among = kinds["id"].n_unique()
    weighed = kinds.with_columns(x=pl.col("part") * (1 + among / pl.len().over("kind")).log())
    norms = weighed.group_by("id").agg(norm=pl.col("x").pow(2).sum().sqrt())
    own = weighed.filter(pl.col("id") == incident_id).select("kind", own="x", own_norm=pl.col("x").pow(2).sum().sqrt())
    return (
        weighed.filter(pl.col("id") != incident_id)
        .join(own, on="kind")
        .group_by("id")
        .agg(pl.first("own_norm"), dot=(pl.col("x") * pl.col("own")).sum())
        .join(norms, on="id")
        .select("id", similarity=(pl.col("dot") / pl.col("norm") / pl.col("own_norm")).round(4))
    )
