"""Cursors come back as they went out, and nothing else is one."""

from __future__ import annotations

import base64
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import BadParameter
from api.protocol.cursor import Key, decode_cursor, decode_key, encode_cursor, scope


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.text(max_size=60))
def test_round_trip(started: int, incident_id: str) -> None:
    assert decode_cursor(encode_cursor(Key(started, incident_id))) == Key(started, incident_id)


@given(st.text(max_size=40))
def test_whatever_comes_is_a_key_or_a_bad_parameter(text: str) -> None:
    with contextlib.suppress(BadParameter):
        assert isinstance(decode_cursor(text), Key)


@pytest.mark.parametrize(
    "inside",
    [
        b"{}",
        b'["",1]',
        b'["","a","b"]',
        b'["",1,2]',
        b'["",1e999,"a"]',
        b'["",9223372036854775808,"a"]',
        b'["x",1,"a"]',
        b'["",true,"a"]',
    ],
)
def test_a_forged_cursor_is_refused(inside: bytes) -> None:
    with pytest.raises(BadParameter):
        decode_cursor(base64.urlsafe_b64encode(inside).decode())


def test_a_cursor_of_another_tenant_or_query_is_refused() -> None:
    mine = scope("a", "logs", {"service": "x"})
    cursor = encode_cursor((1, "b"), mine)
    assert decode_key(cursor, mine, (int, str)) == (1, "b")
    for other in (scope("b", "logs", {"service": "x"}), scope("a", "logs", {"service": "y"}), scope("a", "spans")):
        with pytest.raises(BadParameter):
            decode_key(cursor, other, (int, str))
