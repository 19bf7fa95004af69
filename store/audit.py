"""The audit log: rows that are added and read, and never changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import polars as pl

from store.client import Store

_COLUMNS = {
    "at": "At", "tenant": "Tenant", "who": "Who", "scope": "Scope", "action": "Action", "object": "Object",
    "decision": "Decision", "status": "Status", "reason": "Reason", "address": "Address", "request_id": "RequestId",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """Who (`who` of `tenant`, from `address`) did what (`action` on `object`, for which `scope` is needed).

    `at` is in milliseconds since the epoch; `decision` is allowed or denied, `reason` why it was denied.
    """

    at: int
    tenant: str
    who: str
    scope: str
    action: str
    object: str
    decision: str
    status: int
    reason: str
    address: str
    request_id: str


def append(store: Store, entries: Sequence[Entry]) -> None:
    """Add entries. Raises StoreError."""
    frame = pl.DataFrame([asdict(entry) for entry in entries]).rename(_COLUMNS)
    store.insert_frame(
        "audit_log", frame.with_columns(pl.col("At").cast(pl.Datetime("ms", "UTC")), pl.col("Status").cast(pl.UInt16))
    )


def entries(
    store: Store, tenant: str, within: tuple[int, int], who: str, decision: str, before: tuple[int, str], limit: int
) -> list[Entry]:
    """A tenant's entries in [start, end) milliseconds, newest first, behind `before` ((0, ''): from the start).

    Empty `who` and `decision` are any. Raises StoreError.
    """
    params = {
        "tenant": tenant, "start": within[0], "end": within[1], "who": who, "decision": decision,
        "before": before[0], "before_id": before[1], "limit": limit,
    }  # fmt: skip
    return [Entry(**row) for row in store.rows("audit_list", params)]
