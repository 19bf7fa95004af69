"""Bodies come out as they were before gzip, and never larger than allowed."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.compression import gunzip
from ingest.errors import BodyTooLarge, MalformedBody, Overloaded

LIMIT = 4 * 1024 * 1024


def ignore(size: int) -> None:
    del size


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5), st.integers(0, 9), st.integers(0, 40))
def test_members_are_joined_whatever_follows_them(parts: list[bytes], level: int, zeros: int) -> None:
    data = b"".join(gzip.compress(part, level) for part in parts) + bytes(zeros)
    assert gunzip(data, LIMIT, ignore) == b"".join(parts)


def test_a_large_body_comes_out_whole_and_its_growth_is_told() -> None:
    body = bytes(range(256)) * 12_000
    sizes: list[int] = []
    assert gunzip(gzip.compress(body), LIMIT, sizes.append) == body
    assert sizes == sorted(sizes)
    assert sizes[-1] == len(body)


def test_a_bomb_stops_at_the_limit() -> None:
    sizes: list[int] = []
    with pytest.raises(BodyTooLarge):
        gunzip(gzip.compress(bytes(64 * LIMIT)), LIMIT, sizes.append)
    assert max(sizes) <= LIMIT


def test_many_members_are_bounded_together() -> None:
    with pytest.raises(BodyTooLarge):
        gunzip(gzip.compress(bytes(LIMIT // 2)) * 3, LIMIT, ignore)


@pytest.mark.parametrize("keep", [1, 9, 30, -1])
def test_a_cut_body_is_malformed(keep: int) -> None:
    with pytest.raises(MalformedBody):
        gunzip(gzip.compress(b"telemetry" * 100)[:keep], LIMIT, ignore)


@pytest.mark.parametrize("data", [b"not gzip at all", gzip.compress(b"good") + b"rubbish"])
def test_what_is_not_gzip_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedBody):
        gunzip(data, LIMIT, ignore)


def test_whoever_watches_the_growth_may_stop_it() -> None:
    def full(size: int) -> None:
        raise Overloaded(f"no room for {size}")

    with pytest.raises(Overloaded):
        gunzip(gzip.compress(b"x" * 100), LIMIT, full)
