"""JSON that parsers disagree about, or that costs more than it says (A03, A07)."""

from __future__ import annotations

import pytest

from ingest.envelope import Signal
from tests.attacks.conftest import over_http
from tests.attacks.victim import JSON, Victim

IDS = '"traceId": "0102030405060708090a0b0c0d0e0f10", "spanId": "0102030405060708"'
TIMES = '"startTimeUnixNano": "1772438400000000000", "endTimeUnixNano": "1772438400000000001"'


def spans(content: str = "", *, ids: str = IDS, times: str = TIMES) -> str:
    """A request of one span with something more in it."""
    fields = ", ".join(part for part in (ids, times, content) if part)
    return f'{{"resourceSpans": [{{"scopeSpans": [{{"spans": [{{{fields}}}]}}]}}]}}'


def value(text: str) -> str:
    return spans(f'"attributes": [{{"key": "k", "value": {text}}}]')


def nested(depth: int) -> str:
    return value('{"arrayValue": {"values": [' * depth + '{"intValue": "1"}' + "]}}" * depth)


REFUSED: dict[str, str | bytes] = {
    "an array": "[]",
    "a number": "17",
    "nothing": "",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "not UTF-8": b'{"a": "\xff"}',
    "a comma too many": "{,}",
    "two documents": "{}{}",
    "a comment": "{/**/}",
    "single quotes": "{'a': 1}",
    "an open string": '{"a": "',
    "a key twice": spans('"name": "a", "name": "b"'),
    "a key twice at the top": '{"resourceSpans": [], "resourceSpans": []}',
    "a bare NaN": value('{"doubleValue": NaN}'),
    "a bare Infinity": value('{"doubleValue": -Infinity}'),
    "1e400": value('{"doubleValue": 1e400}'),
    "an integer of 5,000 digits": value(f'{{"intValue": {"9" * 5_000}}}'),
    "an integer of 5,000 digits in a string": value(f'{{"intValue": "{"9" * 5_000}"}}'),
    "2^63": value(f'{{"intValue": "{2**63}"}}'),
    "2^64 as a time": spans(times=f'"startTimeUnixNano": "{2**64}"'),
    "an exponent of 22 digits": spans(times=f'"startTimeUnixNano": "1e{"9" * 22}"'),
    "a negative time": spans(times='"startTimeUnixNano": -1'),
    "half a nanosecond": spans(times='"startTimeUnixNano": 0.5'),
    "an integer with words": value('{"intValue": "one"}'),
    "an integer with spaces": value('{"intValue": " 1"}'),
    "a truth that is a text": value('{"boolValue": "true"}'),
    "a lone surrogate": value(r'{"stringValue": "\ud800"}'),
    "bytes that are not base64": value('{"bytesValue": "*"}'),
    "an id that is not hexadecimal": spans(ids='"traceId": "zz", "spanId": "0102030405060708"'),
    "an id of half a byte": spans(ids='"traceId": "010", "spanId": "0102030405060708"'),
    "a list for an object": '{"resourceSpans": {}}',
    "an object for a text": spans('"name": {}'),
    "nested 50 deep": nested(50),
    "nested 1,000 deep": nested(1_000),
    "nested 20,000 deep": nested(20_000),
    "100,000 brackets": "[" * 100_000,
    "100,000 objects in an unknown field": '{"x": ' + '{"x": ' * 100_000 + "1" + "}" * 100_001,
}
STORED = {
    "a key that is not known": spans('"spanName": {"deep": [1, 2, {"x": null}]}'),
    "a null": spans('"name": null, "kind": 3'),
    "text that looks like an escape": value(r'{"stringValue": "\\ud800 \u0000 \u2028"}'),
    "NaN as a text": value('{"doubleValue": "NaN"}'),
    "numbers as texts": spans('"kind": 2, "flags": 257, "droppedEventsCount": 1'),
}


@over_http
@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_json_is_refused(victim: Victim, body: str | bytes) -> None:
    answer = victim.http(Signal.TRACES, body if isinstance(body, bytes) else body.encode(), JSON)
    assert answer.status == 400
    assert answer.text
    assert len(answer.text) < 600
    assert victim.stored() == 0


@over_http
@pytest.mark.parametrize("body", STORED.values(), ids=STORED)
def test_json_is_stored(victim: Victim, body: str) -> None:
    answer = victim.http(Signal.TRACES, body.encode(), JSON)
    assert (answer.status, answer.refused) == (200, 0), answer.text
    assert victim.stored() == 1
