"""Arrays and maps as values are seen in the bytes, and only they."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ingest.envelope import Signal
from ingest.nesting import is_nested
from tests.kit.otlp import any_value, busy_request, logs, serialized, span, traces, with_attributes

SCALARS = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()


# A span whose id looks like a value that is an array.
@example(seed=1246, count=22)
@given(st.integers(0, 2**32), st.integers(1, 60))
def test_ordinary_telemetry_is_flat(seed: int, count: int) -> None:
    assert not is_nested(Signal.TRACES, serialized(busy_request(random.Random(seed), count)))
    lines = [LogRecord(body=any_value(f"request {n} took {seed % 977} ms"), severity_text="INFO") for n in range(count)]
    assert not is_nested(Signal.LOGS, serialized(logs(*lines)))


@given(
    st.lists(SCALARS, min_size=1, max_size=40) | st.dictionaries(st.text(), SCALARS, min_size=1, max_size=3),
    st.integers(0, 300),
)
def test_an_array_or_a_map_is_found_wherever_it_stands(value: Any, spans: int) -> None:
    seed = random.Random(1)
    items = [span(seed, number) for number in range(spans % 7)]
    assert is_nested(Signal.TRACES, serialized(traces(*items, with_attributes(span(seed), key=value))))
    assert is_nested(Signal.TRACES, serialized(traces(*items, span(seed), host=value)))
    assert is_nested(Signal.LOGS, serialized(logs(LogRecord(body=any_value(value)))))


def test_large_requests_of_random_ids_are_flat() -> None:
    seed = random.Random(3)
    assert not any(is_nested(Signal.TRACES, serialized(busy_request(seed, 500))) for _ in range(100))


@pytest.mark.parametrize("value", [[], {}])
def test_empty_arrays_and_maps_need_no_nesting(value: Any) -> None:
    assert not is_nested(Signal.TRACES, serialized(traces(with_attributes(span(random.Random(1)), key=value))))


def test_a_value_is_found_behind_bytes_that_look_like_the_start_of_one() -> None:
    # The id's last bytes are a tag and a length into the attributes behind it.
    sent = span(random.Random(1), span_id=b"\x12\x30\x2a\x2e\x0a\x12\x06\x2a")
    assert is_nested(Signal.TRACES, serialized(traces(with_attributes(sent, key=["x"]))))


@pytest.mark.parametrize("body", [b"", b"\x12", b"\x12\x80\x2a", b"\x12\xff\xff\xff\xff\xff\x2a\xff"])
def test_broken_bytes_are_no_error(body: bytes) -> None:
    assert not is_nested(Signal.TRACES, body)
