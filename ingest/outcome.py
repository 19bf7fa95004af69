"""What became of a request that was stored: how many of its items were refused, and why."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from store.rejections import Rejection
from store.remote_write import Written

_ITEMS = {"traces": "spans", "logs": "log records", "metrics": "data points"}
# By the reason's name in the table ingest_rejected.
_REASONS = {
    "time_in_future": "the time lies too far in the future",
    "time_too_old": "the time is older than what is kept",
    "trace_id": "the trace id must have 16 bytes that are not all zero",
    "span_id": "the span id must have 8 bytes that are not all zero",
    "attributes": "too many attributes, or elements in one of them",
    "value_size": "an attribute value is too long",
    "body_size": "the body is too long",
    "series": "too many new series",
    "time_missing": "stored with the time they were received, because they had none",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """The content of OTLP's partial_success; nothing refused and nothing to say is full success.

    A message without refused items is a warning (https://opentelemetry.io/docs/specs/otlp/#partial-success-1).
    """

    rejected: int = 0
    message: str = ""

    @property
    def full(self) -> bool:
        """Whether partial_success stays unset."""
        return not self.rejected and not self.message


STORED = Outcome()


@dataclass(frozen=True, slots=True)
class WriteOutcome(Outcome):
    """An outcome with the counts that Prometheus remote write is answered with."""

    samples: int = 0
    histograms: int = 0
    exemplars: int = 0


def write_outcomes(written: Mapping[bytes, Written]) -> dict[bytes, Outcome]:
    """The outcome of each remote-write request of which something is known; the reasons hold no telemetry."""
    return {
        key: WriteOutcome(found.rejected, found.reason, found.samples, found.histograms, found.exemplars)
        for key, found in written.items()
    }


def outcomes(rejections: Iterable[Rejection]) -> dict[bytes, Outcome]:
    """The outcome of each request of which something was refused or noted; messages hold no telemetry."""
    by_request: dict[bytes, list[Rejection]] = defaultdict(list)
    for rejection in rejections:
        by_request[rejection.key].append(rejection)
    return {key: _outcome(found) for key, found in by_request.items()}


def _outcome(found: list[Rejection]) -> Outcome:
    rejected = sum(rejection.items for rejection in found if not rejection.stored)
    parts = [
        f"{rejection.items} {_ITEMS.get(rejection.signal, 'items')} {'' if rejection.stored else 'rejected: '}"
        f"{_REASONS.get(rejection.reason, rejection.reason)}"
        for rejection in sorted(found, key=lambda rejection: (rejection.stored, rejection.reason))
    ]
    return Outcome(rejected, "; ".join(parts))
