"""Whether a ClickHouse server answers: asked twice a second, so that nobody else waits to find out.

A server that hangs takes a connection and never answers. While it does, the store refuses every call at once; calls
under way end when the server answers or their connection times out. It is asked on, and calls go through again with
its first answer. An embedded engine has no pulse: it is this process.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pybreaker

_log = logging.getLogger(__name__)
# A server that stops is known to within two answers and a pause: 2.3 seconds.
_ANSWER_S = 1.0
_PAUSE_S = 0.5
_HURRIED_S = 0.1
_MISSES = 2


class _Told(pybreaker.CircuitBreakerListener):
    """One line when the server is given up, and one when it is back."""

    def state_change(
        self, cb: pybreaker.CircuitBreaker, old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:  # fmt: skip
        before = old_state.name if old_state is not None else ""
        if new_state.name == pybreaker.STATE_OPEN and before == pybreaker.STATE_CLOSED:
            _log.warning("the ClickHouse server does not answer: requests are refused until it does")
        elif new_state.name == pybreaker.STATE_CLOSED:
            _log.warning("the ClickHouse server answers again")


class Pulse:
    """Asks `ping` (seconds it may take, whether there was an answer) from `start` to `stop`, which calls `close`."""

    def __init__(self, ping: Callable[[float], bool], close: Callable[[], None] = lambda: None) -> None:
        self._ping = ping
        self._close = close
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=_MISSES, reset_timeout=0, listeners=[_Told()], name="clickhouse"
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._ask_on, name="store-pulse", daemon=True)

    @property
    def answering(self) -> bool:
        """Whether the server answered lately."""
        return bool(self._breaker.current_state == pybreaker.STATE_CLOSED)

    def start(self) -> None:
        """Begin to ask."""
        self._thread.start()

    def stop(self) -> None:
        """Ask no more. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(2 * _ANSWER_S)
        self._close()

    def _ask_on(self) -> None:
        pause_s = _PAUSE_S
        while not self._stopping.wait(pause_s):
            pause_s = _PAUSE_S if self._ask() else _HURRIED_S

    def _ask(self) -> bool:
        try:
            self._breaker.call(self._asked)
        except (ConnectionError, pybreaker.CircuitBreakerError):
            return False
        return True

    def _asked(self) -> None:
        if not self._ping(_ANSWER_S):
            raise ConnectionError("no answer to a ping")
