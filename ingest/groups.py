"""Requests waiting to be written, grouped as the writers come for them."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from concurrent.futures import Future
from dataclasses import dataclass, field

from ingest.budget import Hold
from ingest.envelope import Signal
from ingest.errors import IngestError

# How long clients get to send again, as a share of the time the last group took, and at most.
_MOMENT = 0.25
_LONGEST_MOMENT_S = 0.05


@dataclass(slots=True, eq=False)
class Request:
    """One request body from arrival to answer; `done` gets None or an IngestError."""

    key: bytes
    tenant: str
    signal: Signal
    body: bytes
    received_ns: int
    hold: Hold
    done: Future[None] = field(default_factory=Future)

    def __post_init__(self) -> None:
        # A client that goes away cancels its wait, never the write.
        self.done.set_running_or_notify_cancel()

    def succeed(self) -> None:
        """Stored: answer it."""
        self.hold.release()
        self.done.set_result(None)

    def fail(self, error: IngestError) -> None:
        """Not stored: say why."""
        self.hold.release()
        self.done.set_exception(error)


class Groups:
    """A queue per signal, emptied a group at a time.

    A group is what has come in while its signal's last group was written, so it is one request when
    little comes and a full batch when much does, and nobody waits for others to come. A second group
    of a signal is written beside the first only when it is large: every insert costs about as much as
    decoding 15,000 spans before the first row, so small ones side by side would only slow each other.
    For the same reason clients that were just answered get a moment to send again before the next
    group is closed; a request that comes when nothing was written lately goes at once.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._worth_a_second = max_bytes // 2
        self._writing: Counter[Signal] = Counter()
        self._not_before = dict.fromkeys(Signal, 0.0)
        self._waiting: dict[Signal, deque[Request]] = {signal: deque() for signal in Signal}
        self._bytes: Counter[Signal] = Counter()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, request: Request) -> None:
        """Add a request to its signal's queue."""
        with self._changed:
            self._waiting[request.signal].append(request)
            self._bytes[request.signal] += len(request.body)
            self._changed.notify()

    def take(self) -> list[Request] | None:
        """Requests of one signal, the one that has waited longest first; None when closed and empty."""
        with self._changed:
            while not (ready := [signal for signal in Signal if self._ready(signal)]):
                if self._closed and not any(self._waiting.values()):
                    return None
                self._changed.wait(self._pause())
            signal = min(ready, key=lambda signal: self._waiting[signal][0].received_ns)
            queue = self._waiting[signal]
            group = [queue.popleft()]
            size = len(group[0].body)
            while queue and size + len(queue[0].body) <= self._max_bytes:
                size += len(queue[0].body)
                group.append(queue.popleft())
            self._bytes[signal] -= size
            self._writing[signal] += 1
            return group

    def _ready(self, signal: Signal) -> bool:
        if not self._waiting[signal]:
            return False
        settled = self._closed or time.monotonic() >= self._not_before[signal]
        return (settled and not self._writing[signal]) or self._bytes[signal] >= self._worth_a_second

    def _pause(self) -> float | None:
        """Seconds until a waiting signal's moment is over; None when there is none to wait for."""
        now = time.monotonic()
        left = [self._not_before[s] - now for s in Signal if self._waiting[s] and not self._writing[s]]
        return max(0.0, min(left)) if left else None

    def written(self, signal: Signal, seconds: float) -> None:
        """A group that `take` gave out is done with; writing it took `seconds`."""
        with self._changed:
            self._writing[signal] -= 1
            self._not_before[signal] = time.monotonic() + min(_MOMENT * seconds, _LONGEST_MOMENT_S)
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more will be put; `take` returns None once all is taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
