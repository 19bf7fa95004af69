"""Clients that send telemetry until it is acknowledged, whatever happens to the system meanwhile.

Every request carries a marker of its own on each of its items, so that what was stored of it can be counted.
"""

from __future__ import annotations

import gzip
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass, field

import httpx
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)

from tests.kit.otlp import SECOND, T0, logs, metrics, serialized, span, traces, with_attributes

MARKER = "fault.marker"
_DAY = 86_400 * SECOND
_RETRIED = frozenset({429, 502, 503, 504})


@dataclass(slots=True)
class Sent:
    """One request and what its client heard of it."""

    marker: str
    signal: str
    items: int
    trace_id: str = ""
    attempts: int = 0
    acknowledged: bool = False
    statuses: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0


class Target:
    """Where the system listens now; a restart may move it."""

    def __init__(self) -> None:
        self.url = self.grpc = ""


def build(seed: random.Random, marker: str, most_items: int, after_ns: int = 0) -> tuple[Sent, bytes]:
    """A request of a random signal, its items over three days so that one insert touches several partitions.

    The days begin `after_ns` nanoseconds after the tests' usual time.
    """
    signal = seed.choice(("traces", "logs", "metrics"))
    items = seed.randint(1, most_items)
    sent = Sent(marker, signal, items)
    times = [T0 + after_ns + seed.randrange(3) * _DAY + n * 1_000_000 for n in range(items)]
    service = {"service.name": f"svc-{seed.randrange(5)}"}
    tag = {MARKER: marker, "http.route": "/api/cart"}
    if signal == "traces":
        trace_id = seed.randbytes(16)
        sent.trace_id = trace_id.hex()
        spans = [span(seed, trace_id=trace_id, start_time_unix_nano=at, end_time_unix_nano=at + 1000) for at in times]
        return sent, serialized(traces(*(with_attributes(item, **tag) for item in spans), **service))
    if signal == "logs":
        # Every tenth request takes the tables for nested values.
        body = {"nested": ["a", {"b": 1}]} if seed.random() < 0.1 else "0123456789 line"
        records = [with_attributes(LogRecord(time_unix_nano=at), **tag, body=body) for at in times]
        return sent, serialized(logs(*records, **service))
    return sent, serialized(metrics(*(_metric(seed, at, tag) for at in times), **service))


def _metric(seed: random.Random, at: int, tag: dict[str, str]) -> Metric:
    metric = Metric(name="queue.length")
    kind = seed.choice(("gauge", "sum", "histogram", "exponential_histogram", "summary"))
    points = {
        "gauge": NumberDataPoint(time_unix_nano=at, as_double=1.5),
        "sum": NumberDataPoint(time_unix_nano=at, as_int=7),
        "histogram": HistogramDataPoint(time_unix_nano=at, count=1, bucket_counts=[0, 1], explicit_bounds=[0.1]),
        "exponential_histogram": ExponentialHistogramDataPoint(time_unix_nano=at, count=2, scale=1, zero_count=2),
        "summary": SummaryDataPoint(time_unix_nano=at, count=3, sum=0.5),
    }
    getattr(metric, kind).data_points.append(with_attributes(points[kind], **tag))
    return metric


class Load:
    """`clients` threads that send until `finish`; each has one request under way and repeats it until it is answered.

    One in twenty gives up after an attempt that failed, as an exporter does whose process ends: of such a request
    everything or nothing may be stored.
    """

    def __init__(
        self,
        target: Target,
        seed: int,
        clients: int = 24,
        most_items: int = 40,
        timeout_s: float = 10,
        after_ns: int = 0,
    ) -> None:
        self.sent: list[Sent] = []
        self.errors: list[str] = []
        self._target = target
        self._most_items = most_items
        self._timeout_s = timeout_s
        self._after_ns = after_ns
        self._finishing = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client, args=(seed, n), daemon=True) for n in range(clients)]

    def start(self) -> None:
        """Begin to send."""
        for thread in self._threads:
            thread.start()

    def finish(self, timeout_s: float = 60) -> None:
        """No new requests; returns when the ones under way are acknowledged. Raises TimeoutError."""
        self._finishing.set()
        deadline = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                raise TimeoutError("a client is still not answered")

    @property
    def acknowledged(self) -> int:
        """Requests answered 200 so far."""
        return sum(sent.acknowledged for sent in list(self.sent))

    def wait(self, more: int, seconds: float = 240) -> None:
        """Return when so many more requests are acknowledged. Raises TimeoutError."""
        wanted, deadline = self.acknowledged + more, time.monotonic() + seconds
        while self.acknowledged < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.acknowledged} of {wanted} acknowledged")
            time.sleep(0.05)

    def answers(self) -> Counter[str]:
        """How often each status, or failure of a connection, came so far."""
        total: Counter[str] = Counter()
        for sent in list(self.sent):
            total.update(dict(sent.statuses))
        return total

    def _client(self, number: int, client: int) -> None:
        seed = random.Random(number * 1000 + client)
        count = 0
        with httpx.Client(timeout=self._timeout_s, trust_env=False) as http:
            while not self._finishing.is_set():
                sent, body = build(seed, f"{number}-{client}-{count}", self._most_items, self._after_ns)
                count += 1
                with self._lock:
                    self.sent.append(sent)
                headers = {"Content-Type": "application/x-protobuf"}
                if seed.random() < 0.5:
                    body, headers["Content-Encoding"] = gzip.compress(body, 1), "gzip"
                patient = seed.random() < 0.95
                while not self._attempt(http, sent, body, headers) and (patient or sent.attempts < 2):
                    time.sleep(seed.uniform(0.02, 0.2))

    def _attempt(self, http: httpx.Client, sent: Sent, body: bytes, headers: dict[str, str]) -> bool:
        """Whether the request is done with."""
        sent.attempts += 1
        started = time.monotonic()
        try:
            answer = http.post(f"{self._target.url}/v1/{sent.signal}", content=body, headers=headers)
        except httpx.TransportError as error:
            sent.statuses[type(error).__name__] += 1
            return False
        finally:
            sent.slowest_s = max(sent.slowest_s, time.monotonic() - started)
        sent.statuses[str(answer.status_code)] += 1
        sent.acknowledged = answer.status_code == 200
        if answer.status_code not in {200, *_RETRIED}:
            self.errors.append(f"{sent.marker} {sent.signal}: {answer.status_code} {answer.content[:200]!r}")
            return True
        return sent.acknowledged
