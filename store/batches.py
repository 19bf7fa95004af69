"""Batches of telemetry in the engine: deleting one, and the ledger that says which requests it holds.

The ledger's meaning is described in migrations/0005_ledger.sql; who writes what and when is ingest's
business.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import IntEnum

from store.client import Store
from store.errors import QueryFailed, StoreUnavailable
from store.settings import Home

# Every table that landing tables flatten into, dead letters included.
TABLES = (
    "otel_traces",
    "otel_traces_trace_id_ts",
    "otel_logs",
    "otel_metrics_gauge",
    "otel_metrics_sum",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
    "otel_metrics_summary",
    "ingest_rejected",
    "ingest_redacted",
)
# Tables whose days are dropped once no request of them can come again.
_BY_DAY = frozenset({"ingest_ledger", "remote_write_written"})
KEY_BYTES = 16
COUNTER_BITS = 22
# How often parts may be merged between a look and a deletion.
_TRIES = 20
_SENT_S = 0.1
_NO_REQUEST = bytes(KEY_BYTES)


class State(IntEnum):
    """What is known of a batch."""

    BEGUN = 1
    COMMITTED = 2
    DISCARDED = 3


def first_at(milliseconds: int) -> int:
    """The least number of a batch of that time, in milliseconds since the epoch: time is in a number's upper bits."""
    return milliseconds << COUNTER_BITS


def record(store: Store, states: Mapping[int, State], receiver: str, keys: Iterable[bytes] = ()) -> None:
    """Write states of batches to the ledger, with the requests `keys` of the one that is committed among them.

    Where none is, they are those of the one that is begun, and a claim. All or nothing, and on disk when it returns.
    Raises StoreError.
    """
    name = receiver.encode()
    # RowBinary: FixedString(16), UInt64, Enum8, String, DateTime64(3).
    # https://clickhouse.com/docs/interfaces/formats/RowBinary
    now = name + struct.pack("<q", time.time_ns() // 1_000_000)
    holder = State.COMMITTED if State.COMMITTED in states.values() else State.BEGUN
    rows: list[bytes] = []
    for batch, state in states.items():
        tail = struct.pack("<QbB", batch, state, len(name)) + now
        for key in (_NO_REQUEST, *(keys if state is holder else ())):
            rows += (key, tail)
    store.insert_bytes("ingest_ledger", rows, "RowBinary", {"async_insert": 0})


def begun(store: Store, receiver: str, orphaned_ms: int) -> list[int]:
    """Batches never finished: `receiver`'s, and anyone's begun before `orphaned_ms`."""
    return [row["Batch"] for row in store.rows("ledger_begun", {"receiver": receiver, "orphaned": orphaned_ms})]


def recent(store: Store, since_ms: int, limit: int) -> list[bytes]:
    """Keys of the newest `limit` requests committed since `since_ms`, newest first."""
    return _keys(store.rows("ledger_recent", {"since": since_ms, "limit": limit})[0]["Keys"])


def known(store: Store, keys: Sequence[bytes], since_ms: int) -> set[bytes]:
    """Those of `keys` that were committed since `since_ms`."""
    params = {"keys": [key.hex() for key in keys], "since": since_ms}
    return set(_keys(store.rows("ledger_known", params)[0]["Keys"]))


def rivals(
    store: Store, batch: int, keys: Sequence[bytes], since_ms: int, claimed_ms: int
) -> tuple[set[bytes], set[bytes]]:
    """Those of `keys` that other batches than `batch` hold: committed since `since_ms`, and claimed since `claimed_ms`.

    A claim is a batch that was begun with the request and neither committed nor discarded.
    """
    params = {"keys": [key.hex() for key in keys], "batch": batch, "since": since_ms, "claimed": claimed_ms}
    rows = store.rows("ledger_rivals", params)
    stored = {bytes.fromhex(row["Key"]) for row in rows if row["Stored"]}
    return stored, {bytes.fromhex(row["Key"]) for row in rows} - stored


def _keys(text: str) -> list[bytes]:
    data = bytes.fromhex(text)
    return [data[at : at + KEY_BYTES] for at in range(0, len(data), KEY_BYTES)]


def marked(store: Store, batch: int) -> dict[str, str]:
    """Settings of a batch's insert by which `discard` finds it while it runs."""
    return {} if store.home is Home.EMBEDDED else {"log_comment": _mark(batch)}


def _mark(batch: int) -> str:
    return f"batch-{batch}"


def _end_inserts(store: Store, batches: Sequence[int]) -> None:
    """End inserts that a server goes on with after their connection broke: they would write after the deletion."""
    # One that had just been sent is not among the running ones yet.
    time.sleep(_SENT_S)
    store.execute("end_inserts", {"marks": [_mark(batch) for batch in batches]})


def discard(store: Store, batches: Sequence[int], *, running: bool = True) -> None:
    """Delete all rows of `batches`, in every table; returns when they are gone. Raises StoreError.

    `running` says that their inserts may not have ended: a server goes on when a connection breaks.

    A part that holds nothing else is dropped, which takes no time. Only where parts have been merged with others are
    rows deleted, which has the engine touch every part of the table.
    """
    named = list(batches)
    if running and store.home is not Home.EMBEDDED:
        _end_inserts(store, named)
    for _ in range(_TRIES):
        found = store.rows("batch_parts", {"batches": named})
        if not found:
            return
        merged = {(row["TableName"], row["Day"]) for row in found if not row["Whole"]}
        for row in found:
            if row["Whole"]:
                # A part that is gone has become another meanwhile, which the next look finds.
                with suppress(QueryFailed):
                    store.command(
                        f"ALTER TABLE {_known(row['TableName'])} DROP PART {{part:String}}", {"part": row["Part"]}
                    )
        for table, day in sorted(merged):
            store.command(
                f"ALTER TABLE {_known(table)} DELETE IN PARTITION ID {{day:String}}"
                " WHERE Batch IN {batches:Array(UInt64)}",
                {"day": day, "batches": named},
                {"mutations_sync": 2},
            )
    raise StoreUnavailable("rows of unfinished batches are still being merged")


def _known(table: str) -> str:
    if table not in TABLES:
        raise ValueError(f"{table!r} holds no batches")
    return table


def forget(store: Store, since_ms: int) -> None:
    """Drop the days of the ledger, and of what goes with it, that lie wholly before `since_ms`."""
    for row in store.rows("ledger_partitions", {"since": since_ms}):
        if row["TableName"] in _BY_DAY:
            store.command(f"ALTER TABLE {row['TableName']} DROP PARTITION ID {{day:String}}", {"day": row["Day"]})
