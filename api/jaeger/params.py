"""Parameters of Jaeger's query API: microseconds and milliseconds since the epoch, Go durations, tags as JSON.

https://www.jaegertracing.io/docs/latest/architecture/apis/#http-json
"""

from __future__ import annotations

import time

import msgspec

from api.errors import BadParameter
from api.goduration import nanoseconds
from api.times import EARLIEST_NS, LATEST_NS
from query.traces.find import MAX_TRACES
from store import Window

DEFAULT_LIMIT = 20
MAX_TAGS = 50
_TWO_DAYS = 2 * 86_400 * 10**9


def epoch(text: str, parameter: str, unit: int, default: int) -> int:
    """Nanoseconds of a whole number of `unit` nanoseconds since the epoch. Raises BadParameter."""
    if not text:
        return default
    if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) <= 20):
        raise BadParameter(parameter, f"{text[:40]!r} is not a whole number of {_UNITS[unit]} since 1970")
    nanos = int(text) * unit
    if not EARLIEST_NS <= nanos <= LATEST_NS:
        raise BadParameter(parameter, f"{text[:40]!r} is outside the years 1900 to 2262; it counts {_UNITS[unit]}")
    return nanos


_UNITS = {1000: "microseconds", 10**6: "milliseconds"}


def search_window(start: str, end: str) -> Window:
    """The time to search, both ends in microseconds; two days until now unless given."""
    last = epoch(end, "end", 1000, time.time_ns())
    first = epoch(start, "start", 1000, max(last - _TWO_DAYS, EARLIEST_NS))
    if first > last:
        raise BadParameter("start", "lies after end")
    return Window(first, last)


def lookback_window(end: str, lookback: str) -> Window:
    """The time that dependencies are counted in: `endTs` and `lookback` in milliseconds; a day unless given."""
    last = epoch(end, "endTs", 10**6, time.time_ns())
    length = epoch(lookback, "lookback", 10**6, 86_400 * 10**9)
    if length < 0:
        raise BadParameter("lookback", "is negative")
    return Window(max(last - length, EARLIEST_NS), last)


def limit(text: str) -> int:
    """How many traces. Raises BadParameter."""
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_TRACES):
        raise BadParameter("limit", f"{text[:20]!r} is not a whole number from 1 to {MAX_TRACES}")
    return int(text)


def tags(as_json: str, pairs: list[str]) -> dict[str, str]:
    """Tags wanted, from a JSON object of texts, numbers and truth values, and from `tag=key:value` pairs."""
    found: dict[str, str] = {}
    if as_json:
        try:
            # Numbers stay as they were written: 1.0 and 1 are different texts in the tables.
            decoded = msgspec.json.decode(as_json, type=dict[str, msgspec.Raw])
        except msgspec.DecodeError as error:
            raise BadParameter("tags", "is not a JSON object with texts as values") from error
        found = {key: _tag_value(key, bytes(raw)) for key, raw in decoded.items()}
    for pair in pairs:
        key, colon, value = pair.partition(":")
        if not colon or not key:
            raise BadParameter("tag", f"{pair[:40]!r} is not of the form key:value")
        found[key] = value
    if len(found) > MAX_TAGS:
        raise BadParameter("tags", f"has more than {MAX_TAGS} entries")
    return found


def _tag_value(key: str, raw: bytes) -> str:
    if raw[:1] in b"{[n":
        raise BadParameter("tags", f"the value of {key[:40]!r} is neither text nor a number nor true or false")
    return msgspec.json.decode(raw, type=str) if raw[:1] == b'"' else raw.decode()


def duration(text: str, parameter: str) -> int:
    """Nanoseconds of a Go duration that is not negative; 0 when it is not given. Raises BadParameter."""
    if not text:
        return 0
    nanos = nanoseconds(text)
    if nanos is None or not 0 <= nanos < 2**63:
        raise BadParameter(parameter, f"{text[:40]!r} is not a duration such as 1.2s, 100ms or 500us")
    return nanos


def both_durations(shortest: str, longest: str) -> tuple[int, int]:
    """`minDuration` and `maxDuration` in nanoseconds. Raises BadParameter when the first is the longer."""
    least, most = duration(shortest, "minDuration"), duration(longest, "maxDuration")
    if most and least > most:
        raise BadParameter("minDuration", "is longer than maxDuration")
    return least, most
