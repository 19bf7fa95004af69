"""Arrays and maps as values are seen in the bytes, and only they."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ingest.envelope import Signal
from ingest.nesting import is_nested
from tests.kit.otlp import any_value, busy_request, logs, serialized, span, traces, with_attributes

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()


@given(st.integers(0, 2**32), st.integers(1, 60))
def test_ordinary_telemetry_is_flat(seed: int, count: int) -> None:
    assert not is_nested(Signal.TRACES, serialized(busy_request(random.Random(seed), count)))
    lines = [LogRecord(body=any_value(f"request {n} took {seed % 977} ms"), severity_text="INFO") for n in range(count)]
    assert not is_nested(Signal.LOGS, serialized(logs(*lines)))


@given(st.lists(SCALARS, max_size=4) | st.dictionaries(st.text(), SCALARS, max_size=3), st.integers(0, 300))
def test_an_array_or_a_map_is_found_wherever_it_stands(value: Any, spans: int) -> None:
    seed = random.Random(1)
    items = [span(seed, number) for number in range(spans % 7)]
    assert is_nested(Signal.TRACES, serialized(traces(*items, with_attributes(span(seed), key=value))))
    assert is_nested(Signal.TRACES, serialized(traces(*items, span(seed), host=value)))
    assert is_nested(Signal.LOGS, serialized(logs(LogRecord(body=any_value(value)))))


@pytest.mark.parametrize("body", [b"", b"\x12", b"\x12\x80\x2a", b"\x12\xff\xff\xff\xff\xff\x2a\xff"])
def test_broken_bytes_are_no_error(body: bytes) -> None:
    assert not is_nested(Signal.TRACES, body)
