"""The Celery application: configuration only.

Tasks run in threads, never in forked processes: polars hangs in a child forked after it has
computed (docs/adr/0006). The queue carries hints; correlation_jobs is the truth.
"""

from __future__ import annotations

from celery import Celery
from kombu.entity import Queue

RUN_JOB = "correlate.run_job"
LIVE_PASS = "correlate.live_pass"  # noqa: S105 - a task's name
SWEEP = "correlate.sweep"
# What the clock says waits apart from what people ask for, so that neither holds up the other.
TICKS = "correlate-ticks"
JOBS = "correlate"
IN_MEMORY = "memory://localhost"

app = Celery("causeline")
app.conf.update(
    broker_url=IN_MEMORY,
    task_serializer="json",
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    # A message that kills its worker is not delivered again by that: the job's windows count their attempts.
    task_reject_on_worker_lost=False,
    task_default_queue=JOBS,
    task_queues=[Queue(name) for name in (JOBS, TICKS)],  # type: ignore[no-untyped-call]  # kombu ships few types
    task_routes={LIVE_PASS: {"queue": TICKS}, SWEEP: {"queue": TICKS}},
    task_publish_retry=False,
    worker_prefetch_multiplier=1,
    worker_pool="threads",
    worker_consumer="correlate.malformed:Consumer",
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    worker_enable_remote_control=False,
    worker_cancel_long_running_tasks_on_connection_loss=False,
    beat_scheduler="celery.beat:Scheduler",
    broker_connection_retry_on_startup=True,
    # For ever: a broker that is away is waited for.
    broker_connection_max_retries=None,
    timezone="UTC",
)
