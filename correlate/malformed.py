"""Messages that are none: refused with one line, so that whoever can write to the queue cannot end a worker.

Celery refuses what it cannot decode, and kombu reads what it finds; beyond that a malformed message raises out of the
loop that reads the broker, which ends the worker, and a message that was not acknowledged comes back to do it again.
The same loop acknowledges what was done, on a channel that may have been given up meanwhile.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import Empty
from typing import Any

from celery.worker.consumer import Consumer as CeleryConsumer
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as kombu_redis

_log = logging.getLogger(__name__)
# What taking a message apart raises; a connection's errors are others.
_MALFORMED = (ValueError, TypeError, KeyError, IndexError, AttributeError)


class Consumer(CeleryConsumer):  # type: ignore[misc]  # celery ships no types
    """Celery's, and a message that is no call is thrown away."""

    def create_task_handler(self, *arguments: Any, **options: Any) -> Callable[[Any], Any]:
        """What is done with a message."""
        handle = super().create_task_handler(*arguments, **options)

        def guarded(message: Any) -> Any:
            try:
                return handle(message)
            except _MALFORMED as error:
                self.on_decode_error(message, error)
                return None

        return guarded


class _Reading:
    """Reads from a list in Redis; an entry that is no message is thrown away, and a channel that is closed says so."""

    def _get_pool(self, asynchronous: bool = False) -> Any:
        # A task that ends after Redis was given up acknowledges on the channel of that time. kombu has forgotten the
        # connection by then, and what it raises ends the worker; an error of connections is logged, and the message
        # comes again.
        if self.connection is None:  # type: ignore[attr-defined]
            raise ConnectionError("the channel to Redis was closed")
        return super()._get_pool(asynchronous=asynchronous)  # type: ignore[misc]

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[misc]
        except _MALFORMED as error:
            _log.warning("an entry of the queue is no message and was thrown away: %s", type(error).__name__)
            # To the event loop: there was nothing.
            raise Empty from None


class Channel(_Reading, kombu_redis.Channel):
    """A channel to a Redis server."""


class Transport(kombu_redis.Transport):
    """Redis."""

    Channel = Channel


class SentinelChannel(_Reading, kombu_redis.SentinelChannel):
    """A channel to the Redis server that sentinels name."""


class SentinelTransport(kombu_redis.SentinelTransport):
    """Redis by way of sentinels."""

    Channel = SentinelChannel


def use() -> None:
    """Have this process read Redis so. To be called before it connects."""
    here = f"{__name__}:Transport"
    TRANSPORT_ALIASES.update(redis=here, rediss=here, sentinel=f"{__name__}:SentinelTransport")
