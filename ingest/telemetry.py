"""What ingest tells about itself: instruments and spans, by OpenTelemetry's API alone.

Whoever starts a pipeline hands over providers; without them nothing is measured. Counting is by request and spans are
by batch, never by item. Names and attributes are listed in docs/operations.md.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

from opentelemetry.metrics import CallbackOptions, MeterProvider, NoOpMeterProvider, Observation
from opentelemetry.trace import NoOpTracer, NoOpTracerProvider, StatusCode, Tracer, TracerProvider

from ingest.envelope import Signal
from ingest.errors import IngestError
from ingest.groups import Request
from store.errors import StoreError

SCOPE = "causeline.ingest"
SIGNAL = "causeline.signal"
OUTCOME = "causeline.ingest.outcome"
REASON = "causeline.ingest.reason"
RULE = "causeline.ingest.rule"
STEP = "causeline.ingest.step"
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
ERROR_TYPE = "error.type"
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_REQUESTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_BYTES = tuple(4**power * 1024 for power in range(9))

T = TypeVar("T")


class Telemetry:
    """Instruments and spans of one pipeline. Safe to use from any thread.

    `own` is a text that this process's own telemetry carries: batches of nothing else leave no spans, which would be
    sent, received, and leave spans again.
    """

    def __init__(
        self, meters: MeterProvider | None = None, tracers: TracerProvider | None = None, own: bytes = b""
    ) -> None:
        self._meter = meter = (meters or NoOpMeterProvider()).get_meter(SCOPE)
        self._tracer = (tracers or NoOpTracerProvider()).get_tracer(SCOPE)
        self._own = own
        self._silent = NoOpTracer()
        self._writing = threading.local()
        self._requests = meter.create_counter(f"{SCOPE}.requests", "{request}", "Requests answered.")
        self._bytes = meter.create_counter(f"{SCOPE}.bytes", "By", "Bytes of stored requests, decompressed.")
        self._rejected = meter.create_counter(
            f"{SCOPE}.items.rejected", "{item}", "Items of stored requests that were refused."
        )
        self._redactions = meter.create_counter(f"{SCOPE}.redactions", "{match}", "Values hidden before storage.")
        self._errors = meter.create_counter(f"{SCOPE}.store.errors", "{error}", "Calls that the store failed.")
        self._batch_requests = meter.create_histogram(
            f"{SCOPE}.batch.requests",
            "{request}",
            "Requests in a batch.",
            explicit_bucket_boundaries_advisory=_REQUESTS,
        )
        self._batch_bytes = meter.create_histogram(
            f"{SCOPE}.batch.size", "By", "Bytes of a batch.", explicit_bucket_boundaries_advisory=_BYTES
        )
        self._commit = meter.create_histogram(
            f"{SCOPE}.commit.duration",
            "s",
            "Time from a batch's first row in the ledger to its last.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )

    def watch(self, queued: Callable[[], int], inflight_bytes: Callable[[], int]) -> None:
        """Have requests that wait and bytes that are held looked at whenever metrics are collected."""

        def observe(read: Callable[[], int]) -> Callable[[CallbackOptions], list[Observation]]:
            return lambda _: [Observation(read())]

        self._meter.create_observable_up_down_counter(
            f"{SCOPE}.queue.length", [observe(queued)], "{request}", "Requests that wait for a batch."
        )
        self._meter.create_observable_up_down_counter(
            f"{SCOPE}.inflight", [observe(inflight_bytes)], "By", "Bytes of requests held in memory."
        )

    def committed(self, signal: Signal, requests: Sequence[Request], seconds: float) -> None:
        """A batch is stored for good; it took `seconds`."""
        size, labels = sum(len(request.body) for request in requests), {SIGNAL: signal.value}
        self._requests.add(len(requests), {**labels, OUTCOME: "stored"})
        self._bytes.add(size, labels)
        self._batch_requests.record(len(requests), labels)
        self._batch_bytes.record(size, labels)
        self._commit.record(seconds, labels)

    def duplicate(self, signal: Signal, requests: int = 1) -> None:
        """Requests were stored before, or are being stored."""
        if requests:
            self._requests.add(requests, {SIGNAL: signal.value, OUTCOME: "duplicate"})

    def refused(self, signal: Signal | None, error: IngestError) -> None:
        """A request was answered with an error; one to an unknown path has no signal."""
        labels = {SIGNAL: signal.value} if signal is not None else {}
        self._requests.add(1, {**labels, OUTCOME: "refused", ERROR_TYPE: type(error).__name__})

    def rejected(self, signal: Signal, items: int, reason: str) -> None:
        """Items of a request were refused though the request was stored."""
        if items:
            self._rejected.add(items, {SIGNAL: signal.value, REASON: reason})

    def redacted(self, signal: Signal, matches: Mapping[str, int]) -> None:
        """Values were hidden, so many by each rule."""
        for rule, number in matches.items():
            self._redactions.add(number, {SIGNAL: signal.value, RULE: rule})

    @contextmanager
    def batch(self, requests: Sequence[Request]) -> Iterator[None]:
        """The span of writing requests for one table; `step` makes its children."""
        own = bool(self._own) and all(self._own in request.body for request in requests)
        self._writing.tracer = self._silent if own else self._tracer
        attributes = {
            SIGNAL: requests[0].landing.signal.value,
            "causeline.ingest.batch.requests": len(requests),
            "causeline.ingest.batch.size": sum(len(request.body) for request in requests),
        }
        try:
            with self._current.start_as_current_span(f"{SCOPE}.batch", attributes=attributes):
                yield
        finally:
            self._writing.tracer = self._tracer

    def step(self, name: str, action: Callable[[], T]) -> T:
        """What the action returns; its span in the batch's. A StoreError is counted, and raised."""
        with self._current.start_as_current_span(
            f"{SCOPE}.{name}", record_exception=False, set_status_on_exception=False
        ) as span:
            try:
                return action()
            except StoreError as error:
                kind = type(error).__name__
                span.set_attribute(ERROR_TYPE, kind)
                span.set_status(StatusCode.ERROR)
                self._errors.add(1, {STEP: name, ERROR_TYPE: kind})
                raise

    @property
    def _current(self) -> Tracer:
        tracer: Tracer = getattr(self._writing, "tracer", self._tracer)
        return tracer
