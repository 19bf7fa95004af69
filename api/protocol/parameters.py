"""Query parameters that several reads share: a bounded time range, a page size, `key=value` pairs, plain text."""

from __future__ import annotations

import time
from typing import Annotated, NamedTuple

from fastapi import Depends, Path, Query

from api.errors import BadParameter
from api.times import checked_range, parse_time

_NS = 10**9
HOUR_NS = 3600 * _NS
MOST_RANGE_NS = 7 * 24 * HOUR_NS
_MOST_PAIRS = 10
_MOST_TEXT = 400
# No NUL, which no attribute or body has and the engine's parameters cannot carry.
PLAIN = r"^[^\x00]*$"

Text = Annotated[str, Query(max_length=_MOST_TEXT, pattern=PLAIN)]
PageSize = Annotated[int, Query(ge=1, le=1000, description="Records on a page, 1 to 1000.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]
Pairs = Annotated[list[str] | None, Query(max_length=_MOST_PAIRS)]
Name = Annotated[str, Path(max_length=_MOST_TEXT, pattern=PLAIN)]


class Range(NamedTuple):
    """Nanoseconds since the epoch, both ends inside."""

    start: int
    end: int


def time_range(
    start: Annotated[
        str | None,
        Query(
            description="RFC 3339 or unix seconds; an hour before `end` unless given.",
            examples=["2026-03-02T08:00:00Z"],
        ),
    ] = None,
    end: Annotated[
        str | None, Query(description="RFC 3339 or unix seconds; now unless given.", examples=["2026-03-02T09:00:00Z"])
    ] = None,
) -> Range:
    """The range a read looks at, at most seven days. Raises BadParameter."""
    last = time.time_ns() if end is None else parse_time(end, "end")
    first = last - HOUR_NS if start is None else parse_time(start, "start")
    first, last = checked_range(first, last)
    if last - first > MOST_RANGE_NS:
        raise BadParameter("start", "a read looks at seven days at most; ask for a shorter range")
    return Range(first, last)


TimeRange = Annotated[Range, Depends(time_range)]


def moment(text: str | None, parameter: str) -> int | None:
    """A time in nanoseconds, if one was given. Raises BadParameter."""
    return None if text is None else parse_time(text, parameter)


def pairs(given: list[str] | None, parameter: str) -> tuple[list[str], list[str]]:
    """Keys and values of `key=value` texts. Raises BadParameter for a text without a key."""
    keys, values = [], []
    for text in given or []:
        key, equals, value = text.partition("=")
        if not key or not equals or len(text) > _MOST_TEXT or "\x00" in text:
            raise BadParameter(parameter, f"{text[:40]!r} is not KEY=VALUE")
        keys.append(key)
        values.append(value)
    return keys, values
