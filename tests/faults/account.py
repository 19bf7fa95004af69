"""What is stored, held against what the clients were told."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from store import Store, StoreSettings
from tests.faults.load import MARKER, Sent

_METRICS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_SOURCES = (
    ("otel_traces", "SpanAttributes"),
    ("otel_logs", "LogAttributes"),
    *((f"otel_metrics_{kind}", "Attributes") for kind in _METRICS),
)


@dataclass(frozen=True)
class Account:
    """The figures of a run; all but the first three must be zero.

    `lost` requests were acknowledged and miss rows, `duplicated` ones have rows too many, `partial` ones were given up
    by their client and are stored in part, `unindexed` traces have no row in the table that finds them by id, and
    `detached` parts are what the engine put aside as broken.
    """

    requests: int
    acknowledged: int
    retried: int
    lost: int
    duplicated: int
    partial: int
    unindexed: int
    unknown: int
    detached: int

    @property
    def clean(self) -> bool:
        """Whether every promise was kept."""
        return not (self.lost or self.duplicated or self.partial or self.unindexed or self.unknown or self.detached)

    def __str__(self) -> str:
        return ", ".join(f"{name} {value:,}" for name, value in asdict(self).items())


def take(settings: StoreSettings, sent: list[Sent], *, alone: bool = True) -> Account:
    """Count what a store holds of the requests `sent`; unless they are `alone`, rows without a marker are others'."""
    store = Store.open(settings)
    try:
        rows = _rows(store)
        found = store.arrow_text("SELECT DISTINCT TraceId FROM otel_traces_trace_id_ts")["TraceId"]
        indexed = set(found.to_pylist())
        detached = store.arrow_text("SELECT count() AS Parts FROM system.detached_parts")["Parts"][0].as_py()
    finally:
        store.close()
    if not alone:
        rows.pop("", None)
    acknowledged = [request for request in sent if request.acknowledged]
    return Account(
        requests=len(sent),
        acknowledged=len(acknowledged),
        retried=sum(request.attempts > 1 for request in sent),
        lost=sum(rows[request.marker] < request.items for request in acknowledged),
        duplicated=sum(rows[request.marker] > request.items for request in sent),
        partial=sum(0 < rows[request.marker] < request.items for request in sent if not request.acknowledged),
        unindexed=sum(request.trace_id not in indexed for request in acknowledged if request.trace_id),
        unknown=len(rows.keys() - {request.marker for request in sent}),
        detached=int(detached),
    )


def _rows(store: Store) -> Counter[str]:
    """Rows by marker, in every table."""
    each = " UNION ALL ".join(
        f"SELECT {column}['{MARKER}'] AS Marker, count() AS Items FROM {table} GROUP BY Marker"
        for table, column in _SOURCES
    )
    found: list[dict[str, Any]] = store.arrow_text(
        f"SELECT Marker, sum(Items) AS Items FROM ({each}) GROUP BY Marker"
    ).to_pylist()
    return Counter({row["Marker"]: int(row["Items"]) for row in found})
