"""What the correlator tells about itself: instruments and spans, by OpenTelemetry's API alone.

Whoever starts a worker or a clock hands over providers; without them nothing is measured. One span a pass or window,
never one a signal, and no attribute holds telemetry. Names and attributes are listed in docs/operations.md.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum

from opentelemetry.metrics import CallbackOptions, MeterProvider, NoOpMeterProvider, Observation
from opentelemetry.trace import NoOpTracerProvider, StatusCode, TracerProvider

SCOPE = "causeline.correlate"
WORK = "causeline.correlate.work"
OUTCOME = "causeline.correlate.outcome"
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/error/
ERROR_TYPE = "error.type"
_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0)


class Work(StrEnum):
    """What a worker does."""

    LIVE = "live"
    WINDOW = "window"
    SETTLE = "settle"
    SWEEP = "sweep"


class Telemetry:
    """Instruments and spans of one process. Safe to use from any thread."""

    def __init__(self, meters: MeterProvider | None = None, tracers: TracerProvider | None = None) -> None:
        self._meter = meter = (meters or NoOpMeterProvider()).get_meter(SCOPE)
        self._tracer = (tracers or NoOpTracerProvider()).get_tracer(SCOPE)
        self._done = meter.create_counter(f"{SCOPE}.work", "{run}", "Passes, windows and sweeps that ended.")
        self._duration = meter.create_histogram(
            f"{SCOPE}.work.duration", "s", "Time they took.", explicit_bucket_boundaries_advisory=_SECONDS
        )
        self._ticks = meter.create_counter(f"{SCOPE}.ticks", "{tick}", "Ticks of the clock, said or not.")
        self._quarantined = meter.create_counter(
            f"{SCOPE}.windows.quarantined", "{window}", "Windows given up after too many failures."
        )

    @contextmanager
    def work(self, kind: Work) -> Iterator[None]:
        """The span, the time and the outcome of one piece of work. What is raised passes through."""
        began = time.monotonic()
        with self._tracer.start_as_current_span(
            f"{SCOPE}.{kind}", record_exception=False, set_status_on_exception=False
        ) as span:
            ended, failed = False, {}
            try:
                yield
                ended = True
            finally:
                if not ended:
                    failed = {ERROR_TYPE: type(sys.exception()).__name__}
                    span.set_attributes(failed)
                    span.set_status(StatusCode.ERROR)
                labels = {WORK: kind.value, OUTCOME: "failed" if failed else "done", **failed}
                self._done.add(1, labels)
                self._duration.record(time.monotonic() - began, {WORK: kind.value})

    def quarantined(self) -> None:
        """A window was given up."""
        self._quarantined.add(1)

    def tick(self, outcome: str) -> None:
        """The clock ticked: `said`, `unheard` (nobody works on those before) or `failed` (no broker)."""
        self._ticks.add(1, {OUTCOME: outcome})

    def watch(self, waiting: Callable[[], int]) -> None:
        """Have the ticks that no worker took yet counted with the metrics; a negative number is unknown."""

        def observe(_: CallbackOptions) -> list[Observation]:
            number = waiting()
            return [Observation(number)] if number >= 0 else []

        self._meter.create_observable_up_down_counter(
            f"{SCOPE}.ticks.waiting", [observe], "{tick}", "Ticks that no worker has taken yet."
        )
