"""Dead letters: what of a batch was refused item by item, and what redaction found in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

from store.client import Store
from store.settings import Home

# A directory that was quiet for so long when it was looked at changes its time with the next part, however
# coarse the file system's clock is.
_QUIET_NS = 1_000_000_000


class Rejection(NamedTuple):
    """Items of one request that were refused for one reason, or stored with a note."""

    key: bytes
    signal: str
    reason: str
    items: int
    stored: bool


class DeadLetters:
    """Reads what the views wrote to ingest_rejected and ingest_redacted. Safe to use from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._folder = None
        if store.home is Home.EMBEDDED:
            self._folder = store.data_path("ingest_rejected")
        self._looked: tuple[int, int] | None = None

    def of_batch(self, batch: int) -> list[Rejection]:
        """What was refused of a batch that has just been inserted. Raises StoreError."""
        if not self._may_have_grown():
            return []
        return _rejections(self._store.rows("rejected_of_batch", {"batch": batch}))

    def of_requests(self, keys: Sequence[bytes]) -> list[Rejection]:
        """What was refused of requests stored some time ago. Raises StoreError."""
        return _rejections(self._store.rows("rejected_of_requests", {"keys": [key.hex() for key in keys]}))

    def recent(self, since_ms: int, limit: int) -> list[Rejection]:
        """The newest, of at most `limit` requests and reasons, since a time. Raises StoreError."""
        return _rejections(self._store.rows("rejected_recent", {"since": since_ms, "limit": limit}))

    def redactions(self, batch: int) -> dict[str, int]:
        """How often each redaction rule found something in a batch. Raises StoreError."""
        return {row["Rule"]: int(row["Found"]) for row in self._store.rows("redacted_of_batch", {"batch": batch})}

    def _may_have_grown(self) -> bool:
        """Whether the table may have got a part since the last look: a query for each batch would cost more."""
        if self._folder is None:
            return True
        now = time.time_ns()
        changed = self._folder.stat().st_mtime_ns
        before, self._looked = self._looked, (changed, now)
        return before is None or before[0] != changed or before[0] > before[1] - _QUIET_NS


def _rejections(rows: list[dict[str, object]]) -> list[Rejection]:
    return [
        Rejection(
            bytes.fromhex(str(row["Key"])),
            str(row["Signal"]),
            str(row["Reason"]),
            int(str(row["Items"])),
            bool(row["Stored"]),
        )
        for row in rows
    ]
