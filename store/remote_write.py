"""What became of Prometheus remote-write requests: migrations/0017_remote_write.sql counts it as it decodes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from store.client import Store


class Written(NamedTuple):
    """How much of a request was stored, and how much was not and why."""

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    rejected: int = 0
    reason: str = ""


def written(store: Store, keys: Sequence[bytes]) -> dict[bytes, Written]:
    """By the keys of requests that are stored; one that holds no series is not among them. Raises StoreError."""
    rows = store.rows("remote_write_written", {"keys": [key.hex() for key in keys]})
    return {
        bytes.fromhex(row["Key"]): Written(
            row["Samples"], row["Histograms"], row["Exemplars"], row["Rejected"], row["Reason"]
        )
        for row in rows
    }
