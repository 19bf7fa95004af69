"""Versions of rows that replace one another: of two writes the later one stands, whatever clocks did between them.

A version is the time in nanoseconds unless that is not above what was given or seen here before. A clock that is set
back, or another machine's that is ahead, then costs nothing but a number that is no longer a time.
"""

from __future__ import annotations

import threading
import time

_lock = threading.Lock()
_last = 0


def following(*seen: int) -> int:
    """A version above every one given before in this process, and above those `seen` in rows to be replaced."""
    global _last
    with _lock:
        _last = max(time.time_ns(), _last + 1, *(version + 1 for version in seen))
        return _last
