"""Access keys as they are stored: hashes, never keys."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from store.client import Store

# Every process holds all keys in memory; more than this is somebody's mistake.
MOST_KEYS = 20_000
_MS = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key; times in milliseconds since the epoch. `hash` is SHA-256 in hexadecimal, `shown` the key's beginning."""

    id: str
    hash: str
    shown: str
    name: str
    tenant: str
    scopes: tuple[str, ...]
    created: int
    created_by: str = ""
    expires: int | None = None
    revoked: int | None = None
    revoked_by: str = ""


def all_keys(store: Store) -> list[StoredKey]:
    """Every key there ever was, of all tenants, oldest first. Raises StoreError."""
    rows = store.rows("access_keys", {"limit": MOST_KEYS})
    return [StoredKey(**{**row, "scopes": tuple(row["scopes"])}) for row in rows]


def save(store: Store, key: StoredKey) -> None:
    """Write the key's present state. Raises StoreError."""
    row = pl.DataFrame(
        {
            "KeyId": [key.id],
            "Hash": [key.hash],
            "Shown": [key.shown],
            "Name": [key.name],
            "Tenant": [key.tenant],
            "Scopes": [list(key.scopes)],
            "CreatedAt": pl.Series([key.created], dtype=pl.Int64),
            "CreatedBy": [key.created_by],
            "ExpiresAt": pl.Series([key.expires], dtype=pl.Int64),
            "RevokedAt": pl.Series([key.revoked], dtype=pl.Int64),
            "RevokedBy": [key.revoked_by],
            "Version": pl.Series([time.time_ns()], dtype=pl.UInt64),
        }
    )
    store.insert_frame("access_keys", row.with_columns(pl.col("CreatedAt", "ExpiresAt", "RevokedAt").cast(_MS)))


def revoke(store: Store, key: StoredKey, who: str) -> StoredKey:
    """The key, revoked for good by `who`; one that is revoked already stays as it is. Raises StoreError."""
    if key.revoked is not None:
        return key
    gone = replace(key, revoked=time.time_ns() // 1_000_000, revoked_by=who)
    save(store, gone)
    return gone


def named(keys: Sequence[StoredKey], tenant: str, name: str) -> StoredKey | None:
    """The tenant's key of that name which is not revoked, if there is one."""
    return next((key for key in keys if key.tenant == tenant and key.name == name and key.revoked is None), None)
