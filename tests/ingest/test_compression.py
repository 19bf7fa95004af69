"""Bodies come out as they were before gzip, deflate or zstd, and never larger than allowed."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from contextlib import suppress

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from ingest.compression import DECODERS, gunzip, inflate, unzstd
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


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.compress,
}
CODINGS = pytest.mark.parametrize("coding", sorted(PACK))


@CODINGS
@given(data=st.binary(max_size=3000), repeat=st.integers(1, 3000))
def test_what_went_in_comes_out(coding: str, data: bytes, repeat: int) -> None:
    body = (data * repeat)[: LIMIT - 1]
    assert DECODERS[coding](PACK[coding](body), LIMIT, ignore) == body


@given(st.lists(st.binary(max_size=2000), min_size=1, max_size=5), st.integers(1, 19))
def test_frames_are_joined(parts: list[bytes], level: int) -> None:
    assert unzstd(b"".join(zstandard.compress(part, level) for part in parts), LIMIT, ignore) == b"".join(parts)


@CODINGS
@given(data=st.binary(max_size=400))
def test_any_bytes_are_decoded_or_malformed(coding: str, data: bytes) -> None:
    for body in (data, PACK[coding](b"telemetry")[:12] + data):
        with suppress(MalformedBody):
            assert isinstance(DECODERS[coding](body, LIMIT, ignore), bytes)


@CODINGS
@pytest.mark.parametrize("limit", [1000, 9000, LIMIT])
def test_the_limit_is_exact(coding: str, limit: int) -> None:
    assert len(DECODERS[coding](PACK[coding](bytes(limit)), limit, ignore)) == limit
    with pytest.raises(BodyTooLarge):
        DECODERS[coding](PACK[coding](bytes(limit + 1)), limit, ignore)


@CODINGS
def test_a_bomb_of_any_coding_stops_soon_after_the_limit(coding: str) -> None:
    sizes: list[int] = []
    with pytest.raises(BodyTooLarge):
        DECODERS[coding](PACK[coding](bytes(64 * LIMIT)), LIMIT, sizes.append)
    assert max(sizes, default=0) <= LIMIT


def test_a_window_larger_than_any_encoder_needs_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=27)
    packer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    with pytest.raises(MalformedBody):
        unzstd(packer.compress(b"x" * 100) + packer.flush(), LIMIT, ignore)


def test_so_many_members_are_an_attack() -> None:
    for coding in ("gzip", "zstd"):
        with pytest.raises(MalformedBody, match="more than 1000 members"):
            DECODERS[coding](PACK[coding](b"") * 1001, LIMIT, ignore)
        assert DECODERS[coding](PACK[coding](b"x") * 1000, LIMIT, ignore) == b"x" * 1000


def test_deflate_is_zlibs_format_and_one_piece() -> None:
    raw = zlib.compressobj(wbits=-15)
    for data in (raw.compress(b"telemetry") + raw.flush(), zlib.compress(b"a") * 2, zlib.compress(b"a") + b"b"):
        with pytest.raises(MalformedBody):
            inflate(data, LIMIT, ignore)


@CODINGS
@pytest.mark.parametrize("keep", [1, 5, 9, -1])
def test_a_cut_body_is_malformed(coding: str, keep: int) -> None:
    with pytest.raises(MalformedBody):
        DECODERS[coding](PACK[coding](b"telemetry" * 100)[:keep], LIMIT, ignore)


@CODINGS
def test_what_is_not_in_the_coding_is_malformed(coding: str) -> None:
    for data in (b"not compressed at all", PACK[coding](b"good") + b"rubbish"):
        with pytest.raises(MalformedBody):
            DECODERS[coding](data, LIMIT, ignore)


def test_whoever_watches_the_growth_may_stop_it() -> None:
    def full(size: int) -> None:
        raise Overloaded(f"no room for {size}")

    with pytest.raises(Overloaded):
        gunzip(gzip.compress(b"x" * 100), LIMIT, full)
