"""The wish that this process ends, as a signal brings it."""

from __future__ import annotations

import signal
from queue import SimpleQueue
from types import FrameType


class StopRequest:
    """What a handler of signals tells, and the main thread waits for.

    No `threading.Event`: a handler runs in the main thread, between any two of its steps. Inside `wait`, or inside
    another handler's `set`, the event's lock is held by that very thread, which then waits for itself for ever. A
    SimpleQueue may be put to from there (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    """

    def __init__(self) -> None:
        self.told = False
        self._wishes: SimpleQueue[None] = SimpleQueue()

    def tell(self) -> None:
        """Somebody wants this process to end; safe in a handler of signals, and more than once."""
        self.told = True
        self._wishes.put(None)

    def wait(self) -> None:
        """Return once somebody wants it; at once when somebody did before."""
        self._wishes.get()
        self._wishes.put(None)


def stop_requested(*, impatient: bool = False) -> StopRequest:
    """Told by SIGTERM and SIGINT; call from the main thread, before starting anything.

    `impatient`: from the second signal on, KeyboardInterrupt ends whatever is going on.
    """
    asked = StopRequest()

    def tell(_number: int, _frame: FrameType | None) -> None:
        if impatient and asked.told:
            raise KeyboardInterrupt
        asked.tell()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    return asked
