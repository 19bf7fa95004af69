"""Deep values are found wherever they are, shallow ones never taken for deep."""

from __future__ import annotations

import random
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

from ingest.depth import is_too_deep
from tests.kit.otlp import any_value, deep_request, logs, serialized, span, traces, with_attributes

DEEPEST = 32


def nested(depth: int, seed: random.Random, leaf: Any = None) -> Any:
    """`leaf` inside `depth` arrays and maps, with others beside them."""
    value = leaf
    for _ in range(depth):
        beside = [seed.choice(("x" * seed.randrange(300), 7, True, 0.5, b"raw"))]
        value = [*beside, value] if seed.random() < 0.5 else {"k" * seed.randrange(200): value, "other": beside[0]}
    return value


@settings(deadline=None)
@given(st.integers(0, 34), st.integers())
def test_the_limit_is_exact_in_attributes_and_bodies(depth: int, number: int) -> None:
    seed = random.Random(number)
    value = nested(depth, seed)
    body = serialized(logs(LogRecord(body=any_value({"first": [1, {"a": "b"}]})), LogRecord(body=any_value(value))))
    assert is_too_deep(body, DEEPEST) == (depth > DEEPEST)
    attribute = serialized(traces(span(seed), with_attributes(span(seed), shallow=["x" * 500], deep=value)))
    assert is_too_deep(attribute, DEEPEST) == (depth > DEEPEST)


@pytest.mark.parametrize("levels", [50, 1_000, 100_000])
def test_depths_no_library_reaches(levels: int) -> None:
    assert is_too_deep(deep_request(levels), DEEPEST)


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(data: bytes) -> None:
    assert not is_too_deep(b"\x12\x40\x2a" + data, DEEPEST) or len(data) > 100


def test_a_large_flat_map_does_not_take_long() -> None:
    body = serialized(logs(LogRecord(body=any_value({f"{n}": ["x" * 200] for n in range(60_000)}))))
    started = time.process_time()
    assert not is_too_deep(body, DEEPEST)
    assert time.process_time() - started < 1
