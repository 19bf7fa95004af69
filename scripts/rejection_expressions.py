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


# An array's members as arguments of their own, and few of them: every function of an argument that is a message
# costs the engine a fifth of a millisecond for each insert, before the first row.
def _members(pairs: str, *, nested: bool) -> dict[str, str]:
    """The lambda arguments that `_caps` reads: keys, texts, bytes, and arrays and maps where there are any."""
    members = {"k": f"{pairs}.k", "s": f"{pairs}.v.s", "x": f"{pairs}.v.x"}
    return {**members, "y": f"{pairs}.v.a", "z": f"{pairs}.v.m"} if nested else members


def _caps(*, nested: bool) -> str:
    """Branches of a multiIf for the attributes of one message."""
    size = "arrayMax(arrayMap((v, w) -> length(v) + length(w), s, x)) > ValueSize"
    number = "length(k) > MostAttributes"
    if nested:
        number += " OR arrayMax(arrayMap((v, w) -> greatest(length(v.v), length(w.v)), y, z)) > MostAttributes"
        size += f" OR arrayMax(arrayMap((v, w) -> byteSize(v, w), y, z)) > {_MEMORY} * ValueSize"
    return f"{number}, {REASONS['attributes']}, {size}, {REASONS['value_size']}, "


def shared(pairs: str, *, nested: bool, above: str = "") -> str:
    """The reason to refuse everything below a resource or a scope; `above` is that of the level above."""
    inherited = f"{above} != 0, {above}, " if above else ""
    arguments = _members(pairs, nested=nested)
    wrapped = ", ".join(f"[{array}]" for array in arguments.values())
    body = f"toUInt8(multiIf(Latest = 0, 0, {inherited}{_caps(nested=nested)}0))"
    return f"arrayMap(({', '.join(arguments)}) -> {body}, {wrapped})[1]"


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


def _crowded(*arrays: str) -> str:
    """A branch for messages within an item, of which none may have too many attributes either."""
    crowded = " OR ".join(f"arrayExists(k -> length(k) > MostAttributes, {array})" for array in arrays)
    return f"{crowded}, {REASONS['attributes']}, "


def spans(items: str, above: str, *, nested: bool) -> str:
    """Reasons of spans."""
    arguments = {
        "t": f"{items}.trace_id",
        "i": f"{items}.span_id",
        "u": f"{items}.parent_span_id",
        "b": f"{items}.start_time_unix_nano",
        "e": f"{items}.end_time_unix_nano",
        "n": f"{items}.name",
        "c": f"{items}.status.message",
        "f": f"{items}.events.attributes.k",
        "l": f"{items}.links.attributes.k",
        **_members(f"{items}.attributes", nested=nested),
    }
    branches = [
        f"length(t) != 16 OR t = unhex('{'00' * 16}'), {REASONS['trace_id']}, ",
        f"length(i) != 8 OR i = unhex('{'00' * 8}') OR length(u) NOT IN (0, 8), {REASONS['span_id']}, ",
        _times("b", "e"),
        _caps(nested=nested),
        _crowded("f", "l"),
        f"length(n) > ValueSize OR length(c) > ValueSize, {REASONS['value_size']}, ",
        _missing("b", "e"),
    ]
    return _per_item(above, arguments, branches)


def logs(items: str, above: str, *, nested: bool) -> str:
    """Reasons of log records."""
    arguments = {
        "t": f"{items}.trace_id",
        "i": f"{items}.span_id",
        "b": f"{items}.time_unix_nano",
        "o": f"{items}.observed_time_unix_nano",
        "n": f"{items}.event_name",
        "c": f"{items}.severity_text",
        "f": f"{items}.body.s",
        "g": f"{items}.body.x",
        **_members(f"{items}.attributes", nested=nested),
    }
    body = "length(f) + length(g) > BodySize"
    if nested:
        arguments |= {"h": f"{items}.body.a", "j": f"{items}.body.m"}
        body += f" OR byteSize(h, j) > {_MEMORY} * BodySize"
    branches = [
        f"length(t) NOT IN (0, 16), {REASONS['trace_id']}, ",
        f"length(i) NOT IN (0, 8), {REASONS['span_id']}, ",
        # An observed time counts only where there is no other.
        _times("b", f"if(b IN {_NO_TIMES}, o, b)"),
        _caps(nested=nested),
        f"length(n) > ValueSize OR length(c) > ValueSize, {REASONS['value_size']}, ",
        f"{body}, {REASONS['body_size']}, ",
        _missing("b", "o"),
    ]
    return _per_item(above, arguments, branches)


def points(items: str, above: str, *, nested: bool, exemplars: bool) -> str:
    """Reasons of data points of any kind."""
    arguments = {"b": f"{items}.time_unix_nano", **_members(f"{items}.attributes", nested=nested)}
    branches = [_times("b"), _caps(nested=nested)]
    if exemplars:
        arguments["f"] = f"{items}.exemplars.filtered_attributes.k"
        branches.append(_crowded("f"))
    return _per_item(above, arguments, [*branches, _missing("b")])
