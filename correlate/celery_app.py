"""The Celery application: configuration only.

Tasks run in threads, never in forked processes: polars hangs in a child forked after it has
computed (docs/adr/0006). The queue carries hints; correlation_jobs is the truth.
"""

from __future__ import annotations

from celery import Celery

RUN_JOB = "correlate.run_job"
LIVE_PASS = "correlate.live_pass"  # noqa: S105 - a task's name
SWEEP = "correlate.sweep"

app = Celery("causeline")
app.conf.update(
    broker_url="memory://localhost",
    task_serializer="json",
    accept_content=["json"],
    result_backend=None,
    task_ignore_result=True,
    task_acks_late=True,
    task_default_queue="correlate",
    worker_prefetch_multiplier=1,
    worker_pool="threads",
    worker_hijack_root_logger=False,
    worker_send_task_events=False,
    beat_scheduler="celery.beat:Scheduler",
    broker_connection_retry_on_startup=True,
    timezone="UTC",
)
