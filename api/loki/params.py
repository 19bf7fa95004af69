"""Parameters of Loki's API (https://grafana.com/docs/loki/latest/reference/loki-http-api/).

Times are nanoseconds since the epoch, seconds with decimals, or RFC 3339; whole numbers of 10 digits or fewer are
seconds, as in Loki. Milliseconds, which look like a time in 1970 or in the year 50,000, are refused.
"""

from __future__ import annotations

import time

from api.errors import BadParameter
from api.goduration import nanoseconds
from api.times import LATEST_NS, parse_time
from store import Window

HOUR = 3_600 * 10**9
MAX_LINES = 5_000
DEFAULT_LINES = 100
# Ten thousand days: no retention is longer, and no step is useful beyond.
MAX_RANGE = 10_000 * 24 * HOUR
_MILLISECONDS = range(10**11, 10**15)


def moment(text: str, parameter: str, default: int) -> int:
    """Nanoseconds since the epoch. Raises BadParameter."""
    if not text:
        return default
    if text.isascii() and text.isdigit() and len(text) > 10:
        if int(text) in _MILLISECONDS:
            raise BadParameter(parameter, f"{text} is neither nanoseconds nor seconds since 1970; is it milliseconds?")
        if int(text) > LATEST_NS:
            raise BadParameter(parameter, f"{text[:40]} lies after the year 2262")
        return int(text)
    nanos = parse_time(text, parameter)
    if nanos < 0:
        raise BadParameter(parameter, f"{text[:40]!r} lies before 1970")
    return nanos


def window(start: str, end: str, since: str = "") -> tuple[int, int]:
    """Start and end; the hour until now unless given. Raises BadParameter."""
    last = moment(end, "end", time.time_ns())
    length = HOUR if not since else duration(since, "since")
    first = moment(start, "start", max(last - length, 0))
    if first > last:
        raise BadParameter("start", "end timestamp must not be before or equal to start time")
    if last - first > MAX_RANGE:
        raise BadParameter("start", f"the time range is longer than {MAX_RANGE // (24 * HOUR)} days")
    return first, last


def as_window(start: str, end: str, since: str = "") -> Window:
    """The same as a half-open window; the end itself is not part of it."""
    return Window(*window(start, end, since))


def duration(text: str, parameter: str) -> int:
    """Nanoseconds, above 0, of a Go duration or a number of seconds. Raises BadParameter."""
    nanos = nanoseconds(text)
    if nanos is None:
        try:
            nanos = int(float(text) * 10**9) if len(text) <= 40 and "_" not in text else None
        except (ValueError, OverflowError):
            nanos = None
    if nanos is None or nanos > MAX_RANGE:
        raise BadParameter(parameter, f"{text[:40]!r} is not a duration such as 15s, or is too long")
    if nanos <= 0:
        raise BadParameter(
            parameter, "zero or negative query resolution step widths are not accepted. Try a positive integer"
        )
    return nanos


def step(text: str, first: int, last: int) -> int:
    """The step of a range query; a 250th of the range, a second at least, unless given. Raises BadParameter."""
    return duration(text, "step") if text else max((last - first) // 250, 10**9)


def limit(text: str, parameter: str = "limit", default: int = DEFAULT_LINES, most: int = MAX_LINES) -> int:
    """How many lines. Raises BadParameter."""
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
        raise BadParameter(parameter, f"{text[:20]!r} is not a whole number above 0")
    if int(text) > most:
        raise BadParameter(
            parameter, f"max entries limit per query exceeded, limit > max_entries_limit ({text} > {most})"
        )
    return int(text)


def newest_first(direction: str) -> bool:
    """Whether lines come newest first. Raises BadParameter."""
    if direction.lower() not in ("", "backward", "forward"):
        raise BadParameter("direction", f"invalid direction {direction[:20]!r}; it is backward or forward")
    return direction.lower() != "forward"
