"""Which items of a request are refused, as SQL over arrays of OTLP messages: a number per item, 0 for none.

Numbers below 100 are the values of ingest_rejected.Reason for items that are not stored, 100 is a note on one that
is. Limits come with each request (Limits below); where Latest is 0 there are none, and nothing is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

REASONS = {
    "time_in_future": 1,
    "time_too_old": 2,
    "trace_id": 3,
    "span_id": 4,
    "attributes": 5,
    "value_size": 6,
    "body_size": 7,
    "series": 8,
    "time_missing": 100,
}
# Columns that carry the limits: name -> the envelope's field and its type.
LIMITS = {
    "Earliest": ("earliest", "UInt64"),
    "Latest": ("latest", "UInt64"),
    "MostAttributes": ("attributes", "UInt32"),
    "ValueSize": ("value_size", "UInt32"),
    "BodySize": ("body_size", "UInt32"),
}
# What is stored, with a note or without.
STORED = f"Reasons IN (0, {REASONS['time_missing']})"
REFUSED = "arrayExists(r -> r != 0, Reasons)"

# The year 1, which a Go program sends for "no time": -6795364578871345152 as an unsigned number.
_NO_TIMES = "(0, 11651379494838206464)"
# Arrays and maps are measured in memory, where an element takes some 60 bytes more than in text.
_MEMORY = 8


def _number(pairs: str, *, nested: bool) -> str:
    """How many attributes there are, or elements in one of them."""
    if not nested:
        return f"length({pairs}.k)"
    elements = f"arrayMap((list, map) -> greatest(length(list.v), length(map.v)), {pairs}.v.a, {pairs}.v.m)"
    return f"greatest(length({pairs}.k), arrayMax({elements}))"


def _size(pairs: str, *, nested: bool) -> str:
    """Size of the longest attribute value or key."""
    if nested:
        return (
            f"arrayMax(arrayMap((k, s, x, list, map) -> greatest(length(k), length(s), length(x), intDiv(byteSize(list, map), "
            f"{_MEMORY})), {pairs}.k, {pairs}.v.s, {pairs}.v.x, {pairs}.v.a, {pairs}.v.m))"
        )
    return (
        f"arrayMax(arrayMap((k, s, A, M, x) -> greatest(length(k), length(s) + length(A) + length(M) + length(x)), "
        f"{pairs}.k, {pairs}.v.s, {pairs}.v.A, {pairs}.v.M, {pairs}.v.x))"
    )


def _caps(pairs: str, *, nested: bool) -> str:
    """Branches of a multiIf for the attributes of one message."""
    return (
        f"{_number(pairs, nested=nested)} > MostAttributes, {REASONS['attributes']}, "
        f"{_size(pairs, nested=nested)} > ValueSize, {REASONS['value_size']}, "
    )


def shared(pairs: str, *, nested: bool, above: str = "") -> str:
    """The reason to refuse everything below a resource or a scope; `above` is that of the level above."""
    inherited = f"{above} != 0, {above}, " if above else ""
    return f"toUInt8(multiIf(Latest = 0, 0, {inherited}{_caps(pairs, nested=nested)}0))"


def _per_item(above: str, arguments: dict[str, str], branches: Sequence[str]) -> str:
    """Reasons of an array of items: `arguments` are the lambda's, each with its array."""
    names, arrays = ", ".join(arguments), ", ".join(arguments.values())
    return (
        f"arrayMap(({names}) -> toUInt8(multiIf(Latest = 0, 0, {above} != 0, {above}, {''.join(branches)}0)), {arrays})"
    )


def _times(first: str, second: str = "") -> str:
    """Branches for an item's time, and for the one that stands in for it where there is none."""
    late = [f"({time} > Latest AND {time} NOT IN {_NO_TIMES})" for time in (first, second) if time]
    used = f"if({first} IN {_NO_TIMES}, {second}, {first})" if second else first
    return (
        f"{' OR '.join(late)}, {REASONS['time_in_future']}, "
        f"{used} < Earliest AND {used} NOT IN {_NO_TIMES}, {REASONS['time_too_old']}, "
    )


def _missing(*times: str) -> str:
    return f"{' AND '.join(f'{time} IN {_NO_TIMES}' for time in times)}, {REASONS['time_missing']}, "


def _most(items: str, field: str, measure: str) -> str:
    """The largest of a measure over the attributes of each item's events, links or exemplars."""
    return f"arrayMap(e -> arrayMax(arrayMap(p -> {measure}, e.{field})), {items})"


def spans(items: str, above: str, *, nested: bool) -> str:
    """Reasons of spans."""
    number, size = _number("p", nested=nested), _size("p", nested=nested)
    inner = [("events", "attributes"), ("links", "attributes")]
    arguments = {
        "t": f"{items}.trace_id",
        "i": f"{items}.span_id",
        "u": f"{items}.parent_span_id",
        "b": f"{items}.start_time_unix_nano",
        "e": f"{items}.end_time_unix_nano",
        "p": f"{items}.attributes",
        "n": f"arrayMap((a, b) -> greatest(length(a), length(b)), {items}.name, {items}.status.message)",
    }
    branches = [
        f"length(t) != 16 OR t = unhex('{'00' * 16}'), {REASONS['trace_id']}, ",
        f"length(i) != 8 OR i = unhex('{'00' * 8}') OR length(u) NOT IN (0, 8), {REASONS['span_id']}, ",
        _times("b", "e"),
        _caps("p", nested=nested),
        f"n > ValueSize, {REASONS['value_size']}, ",
    ]
    for place, (field, pairs) in enumerate(inner):
        arguments[f"n{place}"] = _most(f"{items}.{field}", pairs, number)
        arguments[f"s{place}"] = _most(f"{items}.{field}", pairs, size)
        branches += [
            f"n{place} > MostAttributes, {REASONS['attributes']}, ",
            f"s{place} > ValueSize, {REASONS['value_size']}, ",
        ]
    return _per_item(above, arguments, [*branches, _missing("b", "e")])


def logs(items: str, above: str, *, nested: bool) -> str:
    """Reasons of log records."""
    body = "greatest(length(v.s), length(v.x), intDiv(byteSize(v.a, v.m), 8))"
    if not nested:
        body = "length(v.s) + length(v.A) + length(v.M) + length(v.x)"
    arguments = {
        "t": f"{items}.trace_id",
        "i": f"{items}.span_id",
        "b": f"{items}.time_unix_nano",
        "o": f"{items}.observed_time_unix_nano",
        "p": f"{items}.attributes",
        "v": f"{items}.body",
        "n": f"arrayMap((a, b) -> greatest(length(a), length(b)), {items}.event_name, {items}.severity_text)",
    }
    branches = [
        f"length(t) NOT IN (0, 16), {REASONS['trace_id']}, ",
        f"length(i) NOT IN (0, 8), {REASONS['span_id']}, ",
        # An observed time counts only where there is no other.
        _times("b", "if(b IN (0, 11651379494838206464), o, b)"),
        _caps("p", nested=nested),
        f"n > ValueSize, {REASONS['value_size']}, ",
        f"{body} > BodySize, {REASONS['body_size']}, ",
        _missing("b", "o"),
    ]
    return _per_item(above, arguments, branches)


def points(items: str, above: str, *, nested: bool, exemplars: bool) -> str:
    """Reasons of data points of any kind."""
    arguments = {"b": f"{items}.time_unix_nano", "p": f"{items}.attributes"}
    branches = [_times("b"), _caps("p", nested=nested)]
    if exemplars:
        # Their attributes are never taken apart.
        arguments["n0"] = _most(f"{items}.exemplars", "filtered_attributes", _number("p", nested=False))
        arguments["s0"] = _most(f"{items}.exemplars", "filtered_attributes", _size("p", nested=False))
        branches += [f"n0 > MostAttributes, {REASONS['attributes']}, ", f"s0 > ValueSize, {REASONS['value_size']}, "]
    return _per_item(above, arguments, [*branches, _missing("b")])
