"""What became of Prometheus remote-write requests: migrations/0017_remote_write.sql counts it as it decodes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from store.client import Store


class Written(NamedTuple):
    """How much of a request was stored, and how much was not and why."""

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    rejected: int = 0
    reason: str = ""


def written(store: Store, keys: Sequence[bytes]) -> dict[bytes, Written]:
    """By the keys of requests that are inserted; one that holds no series is not among them. Raises StoreError."""
    return _by_key(store.rows("remote_write_written", {"keys": [key.hex() for key in keys]}))


def recent(store: Store, since_ms: int, limit: int) -> dict[bytes, Written]:
    """The newest `limit` requests inserted since `since_ms`. Raises StoreError."""
    return _by_key(store.rows("remote_write_recent", {"since": since_ms, "limit": limit}))


def _by_key(rows: list[dict[str, Any]]) -> dict[bytes, Written]:
    return {
        bytes.fromhex(row["Key"]): Written(
            row["Samples"], row["Histograms"], row["Exemplars"], row["Rejected"], row["Reason"]
        )
        for row in rows
    }
