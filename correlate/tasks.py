"""Celery tasks: thin bodies around jobs, leases and passes.

A worker process hands its store over with `attach` before it starts; tasks find it here.
"""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from correlate import broker, jobs, late, leases, passes
from correlate.celery_app import LIVE_PASS, RUN_JOB, SWEEP, app
from correlate.engine import FAULTS
from correlate.errors import JobError, TurnTaken
from correlate.settings import CorrelateSettings
from correlate.telemetry import Telemetry, Work
from correlate.turns import turn
from store import Store
from store.errors import StoreError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What tasks of this process work with.

    `lone` says that no other process works on this store; `slots` bound how many windows are judged at a time; `news`
    is called with the tenant after a live pass.
    """

    store: Store
    settings: CorrelateSettings
    lone: bool
    slots: threading.BoundedSemaphore
    news: Callable[[str], None] = lambda _: None
    telemetry: Telemetry = field(default_factory=Telemetry)
    owner: str = field(default_factory=lambda: uuid.uuid4().hex)


# So many processes hear of a new job at once; others join when the sweeper speaks.
_PROCESSES = 4
_context: Context | None = None
# A claim reads and then writes, and nobody comes between.
_CLAIM, _SETTLE, _LIVE = "claim", "settle", "live"
# Share of the time between live passes in which another worker's pass makes one more needless: clocks may be two.
_NEEDLESS = 0.6
_judged_at: dict[str, float] = {}
_stopping = threading.Event()


def attach(
    store: Store,
    settings: CorrelateSettings,
    *,
    lone: bool = False,
    news: Callable[[str], None] = lambda _: None,
    telemetry: Telemetry | None = None,
) -> None:
    """Give this process's tasks their store and settings; `lone` when no other process works on the store.

    `news` is called with the tenant after each live pass, and returns at once.
    """
    global _context
    _context = Context(
        store, settings, lone, threading.BoundedSemaphore(settings.backfill_threads), news, telemetry or Telemetry()
    )
    _judged_at.clear()
    _stopping.clear()


def give_way() -> None:
    """Let no further window start."""
    _stopping.set()


def _attached() -> Context:
    if _context is None:
        raise JobError("this worker has no store: call correlate.tasks.attach first")
    return _context


@app.task(name=RUN_JOB)  # type: ignore[untyped-decorator]  # celery ships no types
def run_job(tenant: str, identifier: str) -> None:
    """Judge windows, this job's first, until none is left that nobody holds; then rebuild incidents.

    The message is a hint: windows of other jobs are done too, and a job that is done is left alone.
    """
    context = _attached()
    # With every slot taken the windows are being worked through already.
    if not context.slots.acquire(blocking=False):
        return
    try:
        for _ in range(1, min(_plan_new(context), context.settings.backfill_threads * _PROCESSES)):
            broker.hint(tenant, identifier)
        while not _stopping.is_set() and (lease := _claim(context, identifier)):
            _work(context, lease)
        if not _stopping.is_set():
            _settle_all(context)
    except (StoreError, TurnTaken) as error:
        # The sweeper comes back to it.
        log.warning("%s waits: %s", identifier, error)
    finally:
        context.slots.release()


def _plan_new(context: Context) -> int:
    """Cut jobs that nobody has looked at into windows; returns how many."""
    planned = 0
    with turn(context.store, "", _CLAIM):
        for tenant, identifier in jobs.unfinished(context.store):
            job = jobs.load(context.store, tenant, identifier)
            # One left running by a version without leases has no windows either.
            asked = job.state == "queued" and not job.steps_total
            if asked or (job.state == "running" and not leases.counts(context.store, tenant, identifier).total):
                steps = passes.windows(job.window.start, job.window.end, context.settings.step_s)
                leases.plan(context.store, tenant, identifier, steps)
                jobs.save(context.store, jobs.advanced(job, state="running", steps_total=len(steps)))
                planned += len(steps)
    return planned


def _claim(context: Context, identifier: str) -> leases.Lease | None:
    with turn(context.store, "", _CLAIM):
        return leases.claim(
            context.store, context.owner, context.settings.lease_s, job=identifier, lone=context.lone
        )  # fmt: skip


def _work(context: Context, lease: leases.Lease) -> None:
    """Judge one claimed window. One that killed its worker too often is not tried again."""
    store, settings = context.store, context.settings
    if lease.attempts > settings.max_attempts:
        reason = "its worker died or took too long each time"
        leases.fail(store, lease, lease.error or reason, settings.max_attempts)
        context.telemetry.quarantined()
        return
    try:
        with context.telemetry.work(Work.WINDOW):
            signals = passes.judge(store, lease.tenant, lease.window, settings)
    except TurnTaken:
        leases.give_back(store, lease)
        return
    except (StoreError, *FAULTS) as error:
        reason = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"[:500]
        log.warning("window at %d of %s, attempt %d: %s", lease.window.start, lease.job, lease.attempts, reason)
        if rest_s := leases.fail(store, lease, reason, settings.max_attempts):
            broker.hint(lease.tenant, lease.job, rest_s)
        else:
            context.telemetry.quarantined()
        return
    leases.finish(store, lease, signals)
    _progress(context, lease.tenant, lease.job)


def _progress(context: Context, tenant: str, identifier: str) -> None:
    with turn(context.store, tenant, _SETTLE):
        job = jobs.load(context.store, tenant, identifier)
        # One that was asked for again has no windows of its own yet, and would look as if it had.
        if job.state != "running":
            return
        found = leases.counts(context.store, tenant, identifier)
        jobs.save(context.store, _told(job, found))


def _told(job: jobs.Job, found: leases.Counts) -> jobs.Job:
    return jobs.advanced(
        job, steps_done=found.done, steps_total=found.total, signals=found.signals, attempts=found.attempts
    )


def _settle_all(context: Context) -> None:
    """Rebuild the incidents of every job whose windows are all done or given up, and end it."""
    for tenant, identifier in jobs.unfinished(context.store):
        with turn(context.store, tenant, _SETTLE):
            job = jobs.load(context.store, tenant, identifier)
            found = leases.counts(context.store, tenant, identifier)
            steps = passes.windows(job.window.start, job.window.end, context.settings.step_s)
            # A range without windows is done as it is; one whose windows are not planned, or not anew, is not.
            unplanned = steps and not (job.steps_total and found.total)
            if job.state not in jobs.ACTIVE or found.open or unplanned:
                continue
            try:
                with context.telemetry.work(Work.SETTLE):
                    incidents = passes.settle(context.store, tenant, steps, context.settings) if steps else 0
            except (StoreError, TurnTaken, *FAULTS) as error:
                # The sweeper comes back to it.
                log.warning("incidents of %s were not rebuilt: %s", identifier, error)
                continue
            state = "failed" if found.quarantined else "done"
            error_text = f"{found.quarantined} of {found.total} windows: {found.error}" if found.quarantined else ""
            ended = jobs.advanced(_told(job, found), state=state, incidents=incidents, error=error_text)
            jobs.save(context.store, ended)


@app.task(name=LIVE_PASS)  # type: ignore[untyped-decorator]
def live_pass(tenant: str) -> None:
    """Judge the last minutes. A pass still running, or just over, makes the next one skip, not queue up."""
    context = _attached()
    needless_s = 0.0 if context.lone else _NEEDLESS * context.settings.live_every_s
    if time.monotonic() - _judged_at.get(tenant, float("-inf")) < needless_s:
        return
    try:
        with turn(context.store, tenant, _LIVE, wait_s=0, rest_s=needless_s):
            _judged_at[tenant] = time.monotonic()
            with context.telemetry.work(Work.LIVE):
                passes.live_pass(context.store, tenant, context.settings, time.time_ns())
        context.news(tenant)
    except TurnTaken:
        log.debug("a live pass of %r is under way", tenant)
    except (StoreError, *FAULTS) as error:
        # The next pass covers the same minutes again, and what none covers is late to the sweeper.
        log.warning("live pass skipped: %s", error)


@app.task(name=SWEEP)  # type: ignore[untyped-decorator]
def sweep(tenant: str) -> None:
    """Ask again for every job of the tenant that is not finished, whoever was to do it, and queue what came late."""
    context = _attached()
    try:
        with context.telemetry.work(Work.SWEEP):
            late.queue_late(context.store, tenant, context.settings)
            for owner, identifier in jobs.unfinished(context.store):
                if owner == tenant:
                    broker.hint(owner, identifier)
    except (StoreError, *FAULTS) as error:
        log.warning("sweep skipped: %s", error)
