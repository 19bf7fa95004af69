"""The demo's hour in a few seconds: it ends now, and every record carries its simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from api.demo import story
from api.demo.sdk import Emitter, Sent
from api.demo.stream import TICK_S, Stream
from api.times import format_time

_TICKS_PER_FLUSH = 2
# Kernel lines and restarts of the last seconds must be in the past when the story ends.
_MARGIN_S = 2 * TICK_S


@dataclass(frozen=True, slots=True)
class Played:
    """What was played: its range and the fault's time (RFC 3339), and how much was sent."""

    start: str
    end: str
    fault: str
    sent: Sent


def play(endpoint: str, progress: Callable[[float, str], None], now_ns: int | None = None) -> Played:
    """Play the whole story into an OTLP/HTTP receiver.

    `progress` sees the share played (0..1) and the simulated time. Raises SystemUnreachable when
    the receiver does not take the telemetry.
    """
    end_ns = (time.time_ns() if now_ns is None else now_ns) // 10**9 * 10**9
    fault_ns = end_ns - int((story.AFTER_S + _MARGIN_S) * 1e9)
    emitter = Emitter(endpoint)
    stream = Stream(emitter, fault_ns)
    pending = story.once()
    ticks = int((story.BEFORE_S + story.AFTER_S) / TICK_S)
    try:
        for number in range(ticks):
            at = -story.BEFORE_S + number * TICK_S
            stream.tick(at)
            while pending and pending[0].at < at + TICK_S:
                stream.say(pending.pop(0))
            if number % _TICKS_PER_FLUSH == _TICKS_PER_FLUSH - 1 or number == ticks - 1:
                emitter.flush()
                progress((number + 1) / ticks, format_time(fault_ns + int(at * 1e9)))
    finally:
        emitter.close()
    return Played(
        start=format_time(fault_ns - int(story.BEFORE_S * 1e9)),
        end=format_time(end_ns),
        fault=format_time(fault_ns),
        sent=emitter.sent,
    )
