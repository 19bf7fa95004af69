"""Requests waiting to be written, grouped as the writers come for them."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from ingest.budget import Hold
from ingest.envelope import Target
from ingest.errors import IngestError, Overloaded
from ingest.outcome import STORED, Outcome
from ingest.pace import Pace

# How long clients get to send again, as a share of the time the last group took, and at most.
_MOMENT = 0.25
_LONGEST_MOMENT_S = 0.05


@dataclass(slots=True, eq=False)
class Request:
    """One request body from arrival to answer; `done` gets an Outcome or an IngestError."""

    key: bytes
    tenant: str
    landing: Target
    body: bytes
    received_ns: int
    hold: Hold
    # Further fields of the envelope (ingest/admission.py), and whether redaction may find something.
    fields: bytes = b""
    suspect: bool = False
    done: Future[Outcome] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # A client that goes away cancels its wait, never the write.
        self.done.set_running_or_notify_cancel()

    def succeed(self, outcome: Outcome = STORED) -> None:
        """Stored: answer it."""
        self.hold.release()
        self.done.set_result(outcome)

    def fail(self, error: IngestError) -> None:
        """Not stored: say why."""
        self.hold.release()
        self.done.set_exception(error)


class Groups:
    """A queue per landing table, emptied a group at a time.

    A group is what has come in while its table's last group was written, so it is one request when
    little comes and a full batch when much does, and nobody waits for others to come. A second group
    of a table is written beside the first only when it is large: every insert costs about as much as
    decoding 7,000 spans before the first row, so small ones side by side would only slow each other.
    For the same reason clients that were just answered get a moment to send again before the next
    group is closed, which ends when as much waits as they had sent; a request that comes when nothing
    was written lately goes at once. When more waits than is written in `patience_s`, a newcomer is
    turned away: it would only hear so later, and its retry would wait behind it.
    """

    def __init__(self, max_bytes: int, patience_s: float) -> None:
        self._patience_s = patience_s
        self._pace: defaultdict[Target, Pace] = defaultdict(lambda: Pace(max_bytes))
        self._worth_a_second = max_bytes // 2
        self._writing: Counter[Target] = Counter()
        self._not_before: defaultdict[Target, float] = defaultdict(float)
        self._last: Counter[Target] = Counter()
        self._waiting: defaultdict[Target, deque[Request]] = defaultdict(deque)
        self._bytes: Counter[Target] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Requests that wait."""
        return sum(len(waiting) for waiting in list(self._waiting.values()))

    def put(self, request: Request) -> None:
        """Add a request to its table's queue. Raises Overloaded when it would not be stored in time."""
        with self._changed:
            if self._pace[request.landing].late(self._bytes[request.landing], self._patience_s):
                raise Overloaded("more telemetry is waiting than can be stored in time; try again soon")
            self._waiting[request.landing].append(request)
            self._bytes[request.landing] += len(request.body)
            self._changed.notify()

    def take(self) -> list[Request] | None:
        """Requests for one table, the one that has waited longest first; None when closed and empty."""
        with self._changed:
            while not (ready := [landing for landing in self._waiting if self._ready(landing)]):
                if self._closed and not any(self._waiting.values()):
                    return None
                self._changed.wait(self._pause())
            landing = min(ready, key=lambda landing: self._waiting[landing][0].received_ns)
            queue = self._waiting[landing]
            group = [queue.popleft()]
            size, most = len(group[0].body), self._pace[landing].batch_bytes()
            while queue and size + len(queue[0].body) <= most:
                size += len(queue[0].body)
                group.append(queue.popleft())
            self._bytes[landing] -= size
            self._writing[landing] += 1
            return group

    def _ready(self, landing: Target) -> bool:
        if not self._waiting[landing]:
            return False
        again = self._bytes[landing] >= self._last[landing]
        settled = self._closed or again or time.monotonic() >= self._not_before[landing]
        return (settled and not self._writing[landing]) or self._bytes[landing] >= self._worth_a_second

    def _pause(self) -> float | None:
        """Seconds until a waiting table's moment is over; None when there is none to wait for."""
        now = time.monotonic()
        left = [self._not_before[s] - now for s, queue in self._waiting.items() if queue and not self._writing[s]]
        return max(0.0, min(left)) if left else None

    def written(self, landing: Target, size: int, seconds: float) -> None:
        """A group of `size` bytes that `take` gave out for a table is done with; writing it took `seconds`."""
        with self._changed:
            self._pace[landing].wrote(size, seconds)
            self._writing[landing] -= 1
            self._last[landing] = size
            self._not_before[landing] = time.monotonic() + min(_MOMENT * seconds, _LONGEST_MOMENT_S)
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will be put; `take` returns None once all is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
