"""How fast batches are written lately, and so how much may wait without waiting in vain."""

from __future__ import annotations

import math

from ingest.settings import MIB

# A batch is worth this long: longer ones make those behind them late, and shorter ones cost more than they hold.
_BATCH_S = 1.0
_SMALLEST = MIB


class Pace:
    """Bytes a second, told from batches large enough to tell. Not safe to use from several threads at once.

    Nothing is known at first, and a request that nothing waits before is never late: so a bad moment, in which the
    store wrote slowly, is forgotten as soon as one batch is faster.
    """

    def __init__(self, max_batch_bytes: int) -> None:
        self._max_batch_bytes = max_batch_bytes
        self._telling = min(_SMALLEST, max_batch_bytes // 2)
        self._rate = math.inf

    def wrote(self, size: int, seconds: float) -> None:
        """A batch of `size` bytes took so many seconds."""
        rate = size / max(seconds, 1e-6)
        if math.isinf(self._rate):
            self._rate = rate if size >= self._telling else math.inf
        elif size >= self._telling or rate > self._rate:
            self._rate = (self._rate + rate) / 2

    def batch_bytes(self) -> int:
        """How large a batch should be at most."""
        return int(min(self._max_batch_bytes, max(_SMALLEST, self._rate * _BATCH_S)))

    def late(self, waiting: int, seconds: float) -> bool:
        """Whether so many bytes take longer than so many seconds to write."""
        return waiting > self._rate * seconds
