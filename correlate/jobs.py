"""Correlation jobs: the table is the truth, a queue message is a hint.

A job is named by what it does (tenant and time range), so asking twice gives one job, and a
message lost or delivered twice does no harm. Its work is in windows (correlate.leases).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import polars as pl

from correlate import broker, leases
from correlate.errors import JobError
from correlate.signals import TIME
from store import Store, Window
from store.versions import following

ACTIVE = frozenset({"queued", "running"})


@dataclass(frozen=True, slots=True)
class Job:
    """One row of correlation_jobs; times in nanoseconds since the epoch."""

    tenant: str
    id: str
    window: Window
    state: str = "queued"
    attempts: int = 0
    steps_done: int = 0
    steps_total: int = 0
    signals: int = 0
    incidents: int = 0
    error: str = ""
    created_ns: int = 0
    # That of the row it was read from.
    version: int = 0


def job_id(tenant: str, window: Window) -> str:
    """`window:{tenant}:{start}:{end}`, times in milliseconds."""
    return f"window:{tenant}:{window.start // 1_000_000}:{window.end // 1_000_000}"


def save(store: Store, job: Job) -> None:
    """Write the job's present state."""
    now = time.time_ns()
    row = pl.DataFrame(
        {
            "Tenant": [job.tenant],
            "JobId": [job.id],
            "WindowStart": [job.window.start],
            "WindowEnd": [job.window.end],
            "State": [job.state],
            "Attempts": [job.attempts],
            "StepsDone": [job.steps_done],
            "StepsTotal": [job.steps_total],
            "Signals": [job.signals],
            "Incidents": [job.incidents],
            "Error": [job.error],
            "CreatedAt": [job.created_ns or now],
            "UpdatedAt": [now],
            "Version": [following(job.version)],
        }
    ).with_columns(
        pl.col("WindowStart", "WindowEnd").cast(TIME),
        pl.col("CreatedAt", "UpdatedAt").cast(TIME).dt.cast_time_unit("ms"),
        pl.col("Attempts").cast(pl.UInt16),
        pl.col("StepsDone", "StepsTotal").cast(pl.UInt32),
        pl.col("Signals", "Incidents", "Version").cast(pl.UInt64),
    )
    store.insert_frame("correlation_jobs", row)


def load(store: Store, tenant: str, identifier: str) -> Job:
    """The job of that id.

    Raises JobError when the tenant has none.
    """
    found = store.frame("correlate_job", {"tenant": tenant, "job": identifier}).collect()
    if found.is_empty():
        raise JobError(f"there is no correlation job {identifier!r}")
    row = found.row(0, named=True)
    window = Window(row.pop("window_start"), row.pop("window_end"))
    return Job(tenant=tenant, window=window, **row)


def unfinished(store: Store) -> list[tuple[str, str]]:
    """(tenant, job id) of every job that was queued or running: after a restart they are enqueued again."""
    found = store.frame("correlate_unfinished_jobs").collect()
    return list(zip(found["tenant"].to_list(), found["id"].to_list(), strict=True))


def submit(store: Store, tenant: str, start_ns: int, end_ns: int) -> str:
    """Create (or find) the job that correlates [start_ns, end_ns) and ask a worker to run it.

    A job that ended is queued anew, from its first window. When no broker answers, the row waits for a sweep.
    """
    window = Window(start_ns, end_ns)
    identifier = job_id(tenant, window)
    try:
        existing = load(store, tenant, identifier)
    except JobError:
        existing = None
    if existing is None or existing.state not in ACTIVE:
        save(store, Job(tenant=tenant, id=identifier, window=window, created_ns=time.time_ns()))
    broker.hint(tenant, identifier)
    return identifier


def release(store: Store, tenant: str, identifier: str) -> int:
    """Give the windows that a job gave up new attempts; returns how many there were.

    Raises JobError when the tenant has no such job.
    """
    job = load(store, tenant, identifier)
    released = leases.release(store, tenant, identifier)
    if released:
        save(store, advanced(job, state="running", error=""))
        broker.hint(tenant, identifier)
    return released


def advanced(job: Job, **changes: int | str) -> Job:
    """A copy of `job` with some fields changed."""
    return replace(job, **changes)  # type: ignore[arg-type]
