"""A request of more beginnings than anyone means is refused before the engine sees it."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.bounds import check_resources
from ingest.errors import BodyTooLarge
from tests.kit.otlp import busy_request, serialized, traces


@given(st.integers(0, 30), st.integers(0, 30))
def test_resources_are_counted(number: int, most: int) -> None:
    request = traces()
    del request.resource_spans[:]
    for _ in range(number):
        request.resource_spans.add()
    if number > most:
        with pytest.raises(BodyTooLarge):
            check_resources(serialized(request), most)
    else:
        check_resources(serialized(request), most)


@given(st.binary(max_size=200))
def test_any_bytes_are_counted_or_left_to_the_engine(body: bytes) -> None:
    try:
        check_resources(body, 5)
    except BodyTooLarge:
        assert len(body) > 5


def test_fields_nobody_knows_do_not_hide_resources() -> None:
    for other in (b"\x78\x01", b"\x7a\x01x", b"\x79" + bytes(8), b"\x7d" + bytes(4)):
        with pytest.raises(BodyTooLarge):
            check_resources(other + b"\x0a\x00" * 11, 10)


def test_it_takes_no_time() -> None:
    bodies = [serialized(busy_request(random.Random(1), 500)), b"\x0a\x00" * 10_000_000]
    started = time.thread_time()
    check_resources(bodies[0], 20_000)
    with pytest.raises(BodyTooLarge):
        check_resources(bodies[1], 20_000)
    assert time.thread_time() - started < 1
