"""The demo's hour in a few seconds: it ends now, and every record carries its simulated time."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from api.demo import story
from api.demo.collectors import Collectors
from api.demo.sdk import Emitter, Sent
from api.demo.stage import Stage
from api.demo.traffic import Traffic
from api.times import format_time

TICK_S = 30.0
# Exporters batch; here by simulated time. Fewer and larger requests are cheaper for the receiver.
_TICKS_PER_FLUSH = 8
# Answers and evaluations of the last requests must be in the past when the story ends.
_MARGIN_S = 2 * TICK_S


@dataclass(frozen=True, slots=True)
class Played:
    """What was played: its range and the fault's time (RFC 3339), and how much was sent."""

    start: str
    end: str
    fault: str
    sent: Sent


def play(endpoint: str, progress: Callable[[float, str], None], now_ns: int | None = None) -> Played:
    """Play the whole story into an OTLP/HTTP receiver, so that it ends now.

    `progress` sees the share played (0..1) and the simulated time. Raises SystemUnreachable when
    the receiver does not take the telemetry.
    """
    end_ns = (time.time_ns() if now_ns is None else now_ns) // 10**9 * 10**9
    stage = Stage(Emitter(endpoint), end_ns - int((story.AFTER_S + _MARGIN_S) * 1e9))
    try:
        _perform(stage, progress)
    finally:
        stage.emit.close()
    return Played(
        start=format_time(stage.ns(-story.BEFORE_S)),
        end=format_time(end_ns),
        fault=format_time(stage.fault_ns),
        sent=stage.emit.sent,
    )


def _perform(stage: Stage, progress: Callable[[float, str], None]) -> None:
    collectors, traffic = Collectors(stage), Traffic(stage)
    lines = story.once()
    ticks = int((story.BEFORE_S + story.AFTER_S) / TICK_S)
    for number in range(ticks):
        at = number * TICK_S - story.BEFORE_S
        collectors.tick(at)
        traffic.tick(at, TICK_S)
        for line in lines:
            if at <= line.at < at + TICK_S:
                collectors.say(line)
        if (number + 1) % _TICKS_PER_FLUSH == 0 or number + 1 == ticks:
            stage.emit.flush()
            progress((number + 1) / ticks, format_time(stage.ns(at)))
