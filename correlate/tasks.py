"""Celery tasks: thin bodies around jobs and passes.

A worker process hands its store over with `attach` before it starts; tasks find it here.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass

from celery import Task

from correlate import jobs, passes
from correlate.celery_app import LIVE_PASS, RUN_JOB, app
from correlate.engine import FAULTS
from correlate.errors import JobError, JobGaveWay
from correlate.settings import CorrelateSettings
from store import Store
from store.errors import StoreError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Context:
    """What tasks of this process work with."""

    store: Store
    settings: CorrelateSettings


_context: Context | None = None
# Passes write versions by the clock; one at a time in a process keeps them in order.
_one_pass = threading.Lock()
_stopping = threading.Event()


def attach(store: Store, settings: CorrelateSettings) -> None:
    """Give this process's tasks their store and settings."""
    global _context
    _context = Context(store, settings)
    _stopping.clear()


def give_way() -> None:
    """Let no further job start, and the running one end after its present window, queued again."""
    _stopping.set()


def _attached() -> Context:
    if _context is None:
        raise JobError("this worker has no store: call correlate.tasks.attach first")
    return _context


@app.task(name=RUN_JOB, bind=True)  # type: ignore[untyped-decorator]  # celery ships no types
def run_job(task: Task, tenant: str, identifier: str) -> None:
    """Run one correlation job from its row; a job that is done already is left alone."""
    context = _attached()
    with _one_pass:
        job = jobs.load(context.store, tenant, identifier)
        if job.state not in jobs.ACTIVE or _stopping.is_set():
            return
        job = jobs.advanced(job, state="running", attempts=job.attempts + 1)
        jobs.save(context.store, job)
        try:
            _run(context, job)
        except JobGaveWay:
            jobs.save(context.store, jobs.advanced(job, state="queued", attempts=job.attempts - 1))
        except (StoreError, *FAULTS) as error:
            _retry_or_fail(task, context, job, error)


def _run(context: Context, job: jobs.Job) -> None:
    def progress(done: int, total: int, signals: int) -> None:
        jobs.save(context.store, jobs.advanced(job, steps_done=done, steps_total=total, signals=signals))
        if _stopping.is_set():
            raise JobGaveWay(f"stopped after {done} of {total} windows")

    signals, incidents = passes.correlate_range(context.store, job.tenant, job.window, context.settings, progress)
    total = len(passes.windows(job.window.start, job.window.end, context.settings.step_s))
    done = jobs.advanced(job, state="done", steps_done=total, steps_total=total, signals=signals, incidents=incidents)
    jobs.save(context.store, done)


def _retry_or_fail(task: Task, context: Context, job: jobs.Job, error: BaseException) -> None:
    reason = str(error) if isinstance(error, StoreError) else f"{type(error).__name__}: {error}"[:500]
    log.warning("correlation job %s, attempt %d: %s", job.id, job.attempts, reason)
    if job.attempts >= context.settings.max_attempts:
        jobs.save(context.store, jobs.advanced(job, state="failed", error=reason))
        return
    jobs.save(context.store, jobs.advanced(job, state="queued", error=reason))
    # Not the error itself: a panic of polars is no Exception, and Celery's threads would end with it.
    raise task.retry(exc=JobError(reason), countdown=min(2.0**job.attempts, 60.0), max_retries=None)


@app.task(name=LIVE_PASS)  # type: ignore[untyped-decorator]
def live_pass(tenant: str) -> None:
    """Judge the last minutes. A pass still running makes the next one skip, not queue up."""
    context = _attached()
    if not _one_pass.acquire(blocking=False):
        return
    try:
        passes.live_pass(context.store, tenant, context.settings, time.time_ns())
    except (StoreError, *FAULTS) as error:
        # The next pass covers the same minutes again.
        log.warning("live pass skipped: %s", error)
    finally:
        _one_pass.release()
