"""How many metric series a tenant has, and which it goes on with once they are too many.

The landing views look at the tables written here (migrations/0009_series_cap.sql).
"""

from __future__ import annotations

from store.client import Store

# Kinds of metric points; those of each are in a table, otel_metrics_KIND.
METRIC_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
_NOW = {"mutations_sync": 2}


def active(store: Store, tenant: str, since_batch: int) -> int:
    """About how many series the tenant has sent since a batch, within 1 %. Raises StoreError."""
    return int(store.rows("series_active", {"tenant": tenant, "since": since_batch})[0]["Series"])


def capped(store: Store) -> frozenset[str]:
    """Tenants whose further series are refused. Raises StoreError."""
    return frozenset(str(row["Name"]) for row in store.rows("series_capped"))


def cap(store: Store, tenant: str, since_batch: int, most: int) -> None:
    """Refuse every series of the tenant from now on but the first `most` since a batch. Raises StoreError."""
    store.execute("series_remember", {"tenant": tenant, "since": since_batch, "most": most})
    store.command("INSERT INTO series_capped (Tenant) VALUES ({tenant:String})", {"tenant": tenant})


def uncap(store: Store, tenant: str) -> None:
    """Take any series of the tenant again. Raises StoreError."""
    for table in ("series_capped", "series_known"):
        store.command(f"ALTER TABLE {table} DELETE WHERE Tenant = {{tenant:String}}", {"tenant": tenant}, _NOW)
