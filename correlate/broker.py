"""Which broker carries the hints, and how long it may keep anybody waiting.

A queue in this process's memory, or Redis. A message is a hint that a row wants doing: none is worth waiting for, so
every call has a short end, and nobody asks a broker again that has just failed.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from contextlib import suppress

import pybreaker
from kombu.exceptions import OperationalError
from pydantic import BaseModel, ConfigDict, Field

from correlate import malformed
from correlate.celery_app import IN_MEMORY, RUN_JOB, TICKS, app

_log = logging.getLogger(__name__)
# A Redis that does not answer costs the first asker this long, and the next ones nothing.
_ANSWER_S = 1.0
_CONNECT_S = 1.0
_AGAIN_S = 5.0
_MOST_UNSAID = 1000
_BROKEN = (OperationalError, OSError)


class BrokerSettings(BaseModel):
    """Settings of the broker; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        default=IN_MEMORY,
        pattern=r"^(memory://|rediss?://|sentinel://)\S*$",
        description="Where hints about work wait: `redis://`, `rediss://` or `sentinel://` for several processes; "
        "memory for one.",
    )
    visibility_timeout_s: int = Field(
        default=300,
        ge=10,
        description="Seconds after which Redis hands out again a message whose worker has not finished it.",
    )
    soft_shutdown_s: float = Field(
        default=5.0, ge=0, description="Seconds that running tasks have to end when a worker stops."
    )

    @property
    def remote(self) -> bool:
        """Whether the broker is a server, which several processes reach and which can be away."""
        return not self.url.startswith("memory:")


class _Told(pybreaker.CircuitBreakerListener):
    """One line when the broker is given up, and one when it is back."""

    def state_change(
        self, cb: pybreaker.CircuitBreaker, old_state: pybreaker.CircuitBreakerState | None,
        new_state: pybreaker.CircuitBreakerState,
    ) -> None:  # fmt: skip
        if new_state.name == pybreaker.STATE_OPEN:
            _log.warning("the broker does not answer: work waits in its tables until it does")
        elif new_state.name == pybreaker.STATE_CLOSED:
            _log.warning("the broker answers again")


breaker = pybreaker.CircuitBreaker(fail_max=1, reset_timeout=_AGAIN_S, listeners=[_Told()], name="broker")


def use(settings: BrokerSettings) -> None:
    """Have messages go by that broker. To be called before any is sent."""
    malformed.use()
    seconds = settings.visibility_timeout_s
    redis = {} if not settings.remote else {
        # kombu looks for abandoned messages every tenth time of every tenth second unless it is told otherwise.
        "unacked_restore_interval": 1, "unacked_restore_throttle": 1,
        "socket_timeout": 3 * _ANSWER_S, "socket_connect_timeout": _CONNECT_S, "socket_keepalive": True,
        "health_check_interval": 5,
    }  # fmt: skip
    app.conf.update(
        broker_url=settings.url,
        broker_connection_timeout=_CONNECT_S,
        # Celery and kombu look in three places, and the shortest of all applications' counts.
        visibility_timeout=seconds,
        broker_transport_options={"visibility_timeout": seconds, **redis},
        result_backend_transport_options={"visibility_timeout": seconds},
        worker_soft_shutdown_timeout=settings.soft_shutdown_s,
    )


def say(send: Callable[[], object]) -> bool:
    """Send by the broker, once, unless it failed a moment ago; returns whether it was sent."""
    try:
        breaker.call(send)
    except (pybreaker.CircuitBreakerError, *_BROKEN) as error:
        _log.debug("not said: %s", error)
        return False
    return True


def hint(tenant: str, identifier: str, countdown_s: float = 0.0) -> None:
    """Tell a worker that a job wants doing. When nobody hears it, the sweeper says it again.

    Returns at once: a broker that is a server is talked to by a thread of its own.
    """

    def send() -> None:
        app.send_task(RUN_JOB, args=[tenant, identifier], countdown=countdown_s or None)

    if str(app.conf.broker_url) == IN_MEMORY:
        send()
    else:
        _teller.tell(send)


class _Teller:
    """A thread that says what is put before it; what is too much at once is left to the sweeper."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: queue.Queue[Callable[[], None]] = queue.Queue(_MOST_UNSAID)
        self._thread: threading.Thread | None = None

    def tell(self, send: Callable[[], None]) -> None:
        """Say it soon."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._say, name="broker-hints", daemon=True)
                self._thread.start()
        with suppress(queue.Full):
            self._waiting.put_nowait(send)

    def _say(self) -> None:
        while True:
            say(self._waiting.get())


_teller = _Teller()


def ticks_waiting() -> int:
    """How many ticks of the clock no worker has taken yet. Raises OperationalError when the broker does not answer."""
    with app.connection_for_write() as connection:
        channel = connection.default_channel
        return int(channel.queue_declare(queue=TICKS, durable=True, auto_delete=False).message_count)


def answers() -> bool:
    """Whether the broker answers now."""
    try:
        ticks_waiting()
    except _BROKEN:
        return False
    return True
