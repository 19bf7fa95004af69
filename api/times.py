"""Times at the edge: RFC 3339 or unix seconds in, nanoseconds inside, RFC 3339 out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from api.errors import BadParameter

_RFC3339 = re.compile(
    r"^(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?([Zz]|[+\- ]\d{2}:\d{2})$", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What DateTime64(9) can hold, https://clickhouse.com/docs/sql-reference/data-types/datetime64
EARLIEST_NS = -2_208_988_800 * 10**9
LATEST_NS = 9_223_372_036 * 10**9
# A signal this much older or younger than its incident cannot belong to it.
_MARGIN_NS = 7 * 86_400 * 10**9


def onsets(started: int, ended: int) -> dict[str, int]:
    """`start` and `end` of the onsets that signals of an incident can have, in nanoseconds."""
    return {"start": max(started - _MARGIN_NS, EARLIEST_NS), "end": min(ended + _MARGIN_NS, LATEST_NS)}


def parse_time(text: str, parameter: str) -> int:
    """Nanoseconds since the epoch of an RFC 3339 time or of unix seconds.

    Raises BadParameter naming `parameter` and saying what was expected.
    """
    nanos = _from_rfc3339(text.strip())
    if nanos is None:
        nanos = _from_unix(text.strip())
    if nanos is None:
        raise BadParameter(parameter, f"{text[:60]!r} is neither an RFC 3339 time nor unix seconds")
    if not EARLIEST_NS <= nanos <= LATEST_NS:
        raise BadParameter(
            parameter, f"{text[:60]!r} is outside the years 1900 to 2262; numbers are seconds, not milliseconds"
        )
    return nanos


def _from_rfc3339(text: str) -> int | None:
    match = _RFC3339.match(text)
    if match is None:
        return None
    date, clock, fraction, offset = match.groups()
    # An unescaped '+' arrives as a space in a query string.
    zone = "+00:00" if offset in "Zz" else offset.replace(" ", "+")
    try:
        delta = datetime.fromisoformat(f"{date}T{clock}{zone}") - _EPOCH
    except (ValueError, OverflowError):
        return None
    return (delta.days * 86_400 + delta.seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def _from_unix(text: str) -> int | None:
    if not text.isascii():
        return None
    try:
        seconds = Decimal(text)
    except InvalidOperation:
        return None
    return int(seconds * 10**9) if seconds.is_finite() and abs(seconds) < 10**15 else None


def format_time(nanos: int) -> str:
    """RFC 3339 in UTC with milliseconds, or with nanoseconds where the time has them."""
    seconds, rest = divmod(nanos, 10**9)
    whole = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    fraction = f"{rest:09d}"
    return f"{whole}.{fraction[:3] if fraction.endswith('000000') else fraction}Z"


def checked_range(start: int, end: int) -> tuple[int, int]:
    """The range as given. Raises BadParameter naming `start` when it lies after `end`."""
    if start > end:
        raise BadParameter("start", f"{format_time(start)} is after end ({format_time(end)})")
    return start, end
