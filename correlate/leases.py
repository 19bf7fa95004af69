"""The windows of correlation jobs, and who may work on which: rows of correlation_windows.

A worker claims a window by writing a lease. It counts the attempt before the work, so that a window that kills its
worker is given up in the end. Claims of two processes can cross; a window done twice changes nothing. Leases are held
against the engine's clock, so those of workers may differ, or be stepped.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from correlate.signals import TIME
from store import Store, Window
from store.versions import following

# The longest that a failed window rests.
_LONGEST_REST_S = 60.0


@dataclass(frozen=True, slots=True)
class Lease:
    """A window of a job, held by `owner` until `until_ms` (milliseconds since the epoch) or resting until then.

    `version` is that of the row it was read from.
    """

    tenant: str
    job: str
    window: Window
    state: str = "queued"
    attempts: int = 0
    until_ms: int = 0
    owner: str = ""
    signals: int = 0
    error: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Windows of one job by state, their signals, the reason of one that was given up, and the most attempts."""

    total: int
    done: int
    open: int
    quarantined: int
    signals: int
    error: str
    attempts: int


def plan(store: Store, tenant: str, job: str, windows: Sequence[Window]) -> None:
    """Queue every window of a job, with no attempts yet."""
    _save(store, [Lease(tenant, job, window) for window in windows])


def claim(store: Store, owner: str, lease_s: float, *, job: str = "", lone: bool = False) -> Lease | None:
    """Take the next window that nobody holds, those of `job` first; None when there is none.

    `lone` says that no other process can be alive, so that whoever holds a lease is dead.
    """
    # Twice as long, for workers whose settings differ.
    longest_ms = round(2000 * max(lease_s, _LONGEST_REST_S))
    params = {"longest": longest_ms, "job": job, "owner": owner, "lone": int(lone)}
    rows = store.rows("correlate_claimable", params)
    if not rows:
        return None
    row = rows[0]
    lease = Lease(
        row["tenant"], row["job"], Window(row["start"], row["end"]), "running", row["attempts"] + 1,
        row["now"] + round(lease_s * 1000), owner, version=row["version"],
    )  # fmt: skip
    _save(store, [lease])
    return lease


def finish(store: Store, lease: Lease, signals: int) -> None:
    """The window was judged."""
    _save(store, [replace(lease, state="done", until_ms=0, owner="", signals=signals)])


def give_back(store: Store, lease: Lease) -> None:
    """The window was not begun: it counts as never claimed."""
    _save(store, [replace(lease, state="queued", attempts=lease.attempts - 1, until_ms=0, owner="")])


def fail(store: Store, lease: Lease, error: str, max_attempts: int) -> float:
    """The window failed: it rests for as many seconds as this returns, or 0 after `max_attempts`: quarantined."""
    given_up = lease.attempts >= max_attempts
    rest_s = 0.0 if given_up else min(2.0**lease.attempts, _LONGEST_REST_S)
    until = int(store.rows("engine_clock")[0]["now"]) + round(1000 * rest_s) if rest_s else 0
    state = "quarantined" if given_up else "queued"
    _save(store, [replace(lease, state=state, until_ms=until, owner="", error=error)])
    return rest_s


def counts(store: Store, tenant: str, job: str) -> Counts:
    """How far a job's windows are."""
    return Counts(**store.rows("correlate_window_counts", {"tenant": tenant, "job": job})[0])


def release(store: Store, tenant: str, job: str) -> int:
    """Queue a job's quarantined windows again, with no attempts; returns how many."""
    rows = store.rows("correlate_window_rows", {"tenant": tenant, "job": job, "state": "quarantined"})
    _save(
        store,
        [
            Lease(tenant, job, Window(_nanos(row["WindowStart"]), _nanos(row["WindowEnd"])), version=row["Version"])
            for row in rows
        ],
    )
    return len(rows)


def _nanos(time_: object) -> int:
    value: int = pl.Series([time_], dtype=TIME).dt.epoch("ns")[0]
    return value


def _save(store: Store, leases: Sequence[Lease]) -> None:
    version = following(*(lease.version for lease in leases))
    frame = pl.DataFrame(
        {
            "Tenant": [lease.tenant for lease in leases],
            "JobId": [lease.job for lease in leases],
            "WindowStart": [lease.window.start for lease in leases],
            "WindowEnd": [lease.window.end for lease in leases],
            "State": [lease.state for lease in leases],
            "Attempts": [lease.attempts for lease in leases],
            "LeaseUntil": [lease.until_ms for lease in leases],
            "Owner": [lease.owner for lease in leases],
            "Signals": [lease.signals for lease in leases],
            "Error": [lease.error for lease in leases],
        }
    ).with_columns(
        pl.col("WindowStart", "WindowEnd").cast(TIME),
        pl.col("LeaseUntil").cast(pl.Datetime("ms", "UTC")),
        pl.lit(time.time_ns()).cast(TIME).dt.cast_time_unit("ms").alias("UpdatedAt"),
        pl.col("Attempts").cast(pl.UInt16),
        pl.col("Signals").cast(pl.UInt64),
        pl.lit(version, pl.UInt64).alias("Version"),
    )
    store.insert_frame("correlation_windows", frame)
