"""Which items of a request are refused, as SQL over the fields of OTLP messages: a number, 0 for none.

Numbers below 100 are the values of ingest_rejected.Reason for items that are not stored; 100 is a note on one that
is. Limits come with each request; where Latest is 0 there are none, and nothing is refused. Levels are named as in
landing_columns.
"""

from __future__ import annotations

# Columns that carry the limits: name -> the envelope's field and its type.
LIMITS = {
    "Earliest": ("earliest", "UInt64"),
    "Latest": ("latest", "UInt64"),
    "MostAttributes": ("attributes", "UInt32"),
    "ValueSize": ("value_size", "UInt32"),
    "BodySize": ("body_size", "UInt32"),
}
TIME_IN_FUTURE, TIME_TOO_OLD, TRACE_ID, SPAN_ID, ATTRIBUTES, VALUE_SIZE, BODY_SIZE, SERIES, TIME_MISSING = (
    1, 2, 3, 4, 5, 6, 7, 8, 100,
)  # fmt: skip
STORED = f"(0, {TIME_MISSING})"

# Whether the tenant has too many series (migrations/0009_series_cap.sql) and this is none of those it goes on with.
UNKNOWN_SERIES = (
    "Tenant IN (SELECT Tenant FROM series_capped)"
    " AND cityHash64(Tenant, SeriesHash) NOT IN (SELECT Id FROM series_known)"
)
TOO_MANY_SERIES = f"if(Reason IN {STORED} AND {UNKNOWN_SERIES}, {SERIES}, Reason)"

# The year 1, which a Go program sends for "no time": -6795364578871345152 as an unsigned number.
_NO_TIMES = "(0, 11651379494838206464)"
# Arrays and maps are measured in memory, all of an item together: an element takes some 60 bytes more than in text,
# and a function of each costs the engine more than a millisecond for each insert, before the first row.
_MEMORY = 8


def refused(branches: str, above: str = "") -> str:
    """The reason of a message, or that of the level above."""
    inherited = f"{above} != 0, {above}, " if above else ""
    return f"toUInt8(multiIf(Latest = 0, 0, {inherited}{branches}0))"


def caps(pairs: str, *, nested: bool) -> str:
    """Branches of a multiIf for the attributes of one message."""
    number = f"length({pairs}.k) > MostAttributes"
    size = f"arrayMax(arrayMap((v, w) -> length(v) + length(w), {pairs}.v.s, {pairs}.v.x)) > ValueSize"
    if nested:
        size += f" OR byteSize({pairs}.v) > {_MEMORY} * ValueSize"
    return f"{number}, {ATTRIBUTES}, {size}, {VALUE_SIZE}, "


def _times(first: str, second: str = "") -> str:
    """Branches for an item's time, and for the one that stands in for it where there is none."""
    late = [f"({time} > Latest AND {time} NOT IN {_NO_TIMES})" for time in (first, second) if time]
    used = f"if({first} IN {_NO_TIMES}, {second}, {first})" if second else first
    return f"{' OR '.join(late)}, {TIME_IN_FUTURE}, {used} < Earliest AND {used} NOT IN {_NO_TIMES}, {TIME_TOO_OLD}, "


def _missing(*times: str) -> str:
    return f"{' AND '.join(f'{time} IN {_NO_TIMES}' for time in times)}, {TIME_MISSING}, "


def _crowded(*keys: str) -> str:
    """A branch for messages within an item, of which none may have too many attributes either."""
    return f"{' OR '.join(f'arrayExists(k -> length(k) > MostAttributes, {key})' for key in keys)}, {ATTRIBUTES}, "


def span(*, nested: bool) -> str:
    """Branches for a span."""
    return (
        f"length(s.trace_id) != 16 OR s.trace_id = unhex('{'00' * 16}'), {TRACE_ID}, "
        f"length(s.span_id) != 8 OR s.span_id = unhex('{'00' * 8}') OR length(s.parent_span_id) NOT IN (0, 8), "
        f"{SPAN_ID}, "
        + _times("s.start_time_unix_nano", "s.end_time_unix_nano")
        + caps("s.attributes", nested=nested)
        + _crowded("s.events.attributes.k", "s.links.attributes.k")
        + f"length(s.name) > ValueSize OR length(s.status.message) > ValueSize, {VALUE_SIZE}, "
        + _missing("s.start_time_unix_nano", "s.end_time_unix_nano")
    )


def record(*, nested: bool) -> str:
    """Branches for a log record."""
    body = "length(s.body.s) + length(s.body.x) > BodySize"
    if nested:
        body += f" OR byteSize(s.body) > {_MEMORY} * BodySize"
    time, observed = "s.time_unix_nano", "s.observed_time_unix_nano"
    return (
        f"length(s.trace_id) NOT IN (0, 16), {TRACE_ID}, length(s.span_id) NOT IN (0, 8), {SPAN_ID}, "
        # An observed time counts only where there is no other.
        + _times(time, f"if({time} IN {_NO_TIMES}, {observed}, {time})")
        + caps("s.attributes", nested=nested)
        + f"length(s.event_name) > ValueSize OR length(s.severity_text) > ValueSize, {VALUE_SIZE}, "
        + f"{body}, {BODY_SIZE}, "
        + _missing(time, observed)
    )


def point(*, nested: bool, exemplars: bool) -> str:
    """Branches for a data point of any kind."""
    crowded = _crowded("s.exemplars.filtered_attributes.k") if exemplars else ""
    return _times("s.time_unix_nano") + caps("s.attributes", nested=nested) + crowded + _missing("s.time_unix_nano")
