"""Recorded telemetry as if it happened now: what lies before a moment at once, the rest at the pace it was recorded.

Times of records move by one and the same amount, so that the moment falls on the present. Times inside of texts stay.
"""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from api.replay.reader import Line

# OTLP JSON names them so at every level (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
_TIME = re.compile(rb'("(?:\w+T|t)imeUnixNano"\s*:\s*)("?)(\d+)')
_NS = 1_000_000_000


class Live(NamedTuple):
    """The moment that becomes the present, where to stop, and where to begin: nanoseconds, as recorded."""

    start: int
    end: int | None = None
    since: int = 0


def paced(
    sources: Iterable[Iterator[Line]],
    live: Live,
    clock: Callable[[], int] = time.time_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Line]:
    """Lines of all sources in the order of their arrival, moved to now, each when it is due."""
    shift: int | None = None
    for arrival, line in heapq.merge(*map(_arrivals, sources), key=lambda pair: pair[0]):
        if live.end is not None and arrival >= live.end:
            return
        if arrival < live.since:
            continue
        if shift is None or arrival < live.start:
            # Until the moment comes, sending history may take as long as it takes.
            shift = clock() - live.start if shift is None else shift
        elif (wait := arrival + shift - clock()) > 0:
            sleep(wait / _NS)
        yield line._replace(data=moved(line.data, shift))


def _arrivals(lines: Iterator[Line]) -> Iterator[tuple[int, Line]]:
    """Lines with the time at which each arrived: files are in that order, and a request is younger than its records."""
    newest = 0
    for line in lines:
        newest = max(newest, *(int(nanos) for _, _, nanos in _TIME.findall(line.data)), 0)
        yield newest, line


def moved(data: bytes, shift: int) -> bytes:
    """A line with every time moved by `shift` nanoseconds; times that are 0 say that there is none."""

    def later(match: re.Match[bytes]) -> bytes:
        nanos = int(match[3])
        return match[0] if not nanos else b"%b%b%d" % (match[1], match[2], max(nanos + shift, 1))

    return _TIME.sub(later, data)
