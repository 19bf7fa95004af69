"""What is in a body: compression (A01, A02), encoding (A03 to A06), days and numbers (A11, A12)."""

from __future__ import annotations

import gzip
import random
import sys
import zlib
from typing import NamedTuple

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint

from ingest.envelope import Signal
from tests.attacks import wire
from tests.attacks.conftest import over_grpc, over_http
from tests.attacks.victim import LIMIT, Victim
from tests.attacks.wire import message, nested_value, tag, varint
from tests.kit.otlp import SECOND, T0, metrics, serialized, span, traces

SEED = random.Random(3)
GOOD = serialized(traces(span(SEED)))
DAYS = [span(SEED, start_time_unix_nano=T0 - n * 86_400 * SECOND) for n in range(101)]
# The beginning of a KeyValue, its key.
PAIR = message(1, b"k")


class Attack(NamedTuple):
    """A body, the status it gets over HTTP (over gRPC, what corresponds), and how many spans are stored of it."""

    line: str
    name: str
    body: bytes
    status: int
    stored: int = 0


def in_span(content: bytes) -> bytes:
    """A request of a good span with these bytes at its end."""
    return wire.spans(serialized(span(SEED)) + content)


def nested(depth: int, status: int) -> Attack:
    """Kept as JSON, or refused when it is deeper than anyone nests: nothing recurses on it."""
    body = in_span(message(9, PAIR + message(2, nested_value(depth))))
    return Attack("A03", f"an attribute nested {depth:,} deep", body, status, int(status == 200))


BROKEN = {
    "a varint of 11 bytes": tag(1, wire.LENGTH) + b"\xff" * 10 + b"\x01",
    "a length of 2^63": tag(1, wire.LENGTH) + varint(2**63),
    "a length of 2^31": tag(1, wire.LENGTH) + varint(2**31),
    "wire type 7": tag(1, 7) + b"\x01",
    "wire type 6": tag(1, 6),
    "an open group": tag(99, wire.START_GROUP),
    "a group that ends and never began": tag(99, wire.END_GROUP),
}
ATTACKS = [
    nested(5, 200),
    *(nested(depth, 400) for depth in (50, 1_000, 20_000)),
    Attack("A04", "400 KB of empty ResourceSpans", b"\x0a\x00" * 200_000, 413),
    *(Attack("A05", name, body, 400) for name, body in BROKEN.items()),
    *(Attack("A05", f"{name}, after a good span", GOOD + body, 400) for name, body in BROKEN.items()),
    *(Attack("A05", f"{name}, in a span", in_span(body), 400) for name, body in BROKEN.items() if "2^31" not in name),
    # The decoder makes room for a text as long as it says it is; a batch's memory bounds that.
    Attack("A05", "a length of 2^31, in a span", in_span(BROKEN["a length of 2^31"]), 413),
    Attack("A05", "a known field of another type", GOOD + tag(1, wire.VARINT) + b"\x01", 400),
    Attack("A05", "a byte too few", GOOD[:-1], 400),
    Attack("A05", "an unknown field", GOOD + message(1000, b"x"), 200, 1),
    # The decoder skips a field numbered 0, which protobuf's own refuse; what stands beside it is unharmed.
    Attack("A05", "field 0", GOOD + message(0, b"x"), 200, 1),
    Attack(
        "A06", "bytes that are no text", in_span(message(9, message(1, b"k") + message(2, message(7, b"\xff")))), 200, 1
    ),
    Attack("A11", "101 days", serialized(traces(*DAYS)), 200, 101),
]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: f"{attack.line} {attack.name}")
def test_a_body_gets_its_answer(victim: Victim, attack: Attack) -> None:
    answer = victim.send(Signal.TRACES, attack.body)
    assert answer.status == attack.status
    assert bool(answer.text) is (answer.status != 200)
    assert answer.refused == 0
    assert victim.stored() == attack.stored


TEXTS = {"a span's name": span(SEED, name="MARK"), "a status": span(SEED, status={"message": "MARK"})}


@pytest.mark.parametrize("text", [b"\xff\xfe\xc3(", b"\xed\xa0\x80x", b"\xf8\x88\x80\x80", b"\xc0\x80xx"])
@pytest.mark.parametrize("where", TEXTS)
def test_text_that_is_not_utf8(victim: Victim, where: str, text: bytes) -> None:
    """A06: refused, or stored as text that every client can read."""
    answer = victim.send(Signal.TRACES, serialized(traces(TEXTS[where])).replace(b"MARK", text.ljust(4)))
    assert answer.status == 400
    assert victim.stored() == 0


def bomb(times: int, members: int = 1) -> bytes:
    """Gzip of so many times the limit."""
    return gzip.compress(bytes(times * LIMIT // members)) * members


@over_http
@pytest.mark.parametrize("members", [1, 50])
def test_a_bomb_over_http(victim: Victim, members: int) -> None:
    """A01."""
    packed = bomb(100, members)
    assert len(packed) < LIMIT
    assert victim.http(Signal.TRACES, packed, encoding="gzip").status == 413


@over_grpc
def test_a_bomb_over_grpc(victim: Victim) -> None:
    """A01: the library unpacks it, and stops at the limit."""
    import grpc

    assert victim.grpc(Signal.TRACES, bytes(100 * LIMIT), compression=grpc.Compression.Gzip).status == 413


@over_http
@pytest.mark.parametrize("encoding", ["br", "snappy", "compress", "lz4", "aws-chunked", "gzip, br", "gzip;q=1", "*"])
def test_an_encoding_that_is_not_spoken(victim: Victim, encoding: str) -> None:
    """A02: refused by name; no decoder for it is even loaded."""
    assert victim.http(Signal.TRACES, GOOD, encoding=encoding).status == 415
    assert not {"brotli", "brotlicffi"} & sys.modules.keys()


@over_http
@pytest.mark.parametrize(
    "body", [GOOD, gzip.compress(GOOD)[:-9], zlib.compress(GOOD), b"\x1f\x8b", b"\x1f\x8b\x08" + bytes(40)]
)
def test_gzip_that_is_none(victim: Victim, body: bytes) -> None:
    assert victim.http(Signal.TRACES, body, encoding="gzip").status == 400
    assert victim.stored() == 0


def test_numbers_that_are_none(victim: Victim) -> None:
    """A12: stored as they are."""
    values = (float("nan"), float("inf"), float("-inf"), 1.5)
    points = [NumberDataPoint(time_unix_nano=T0 + n, as_double=value) for n, value in enumerate(values)]
    body = serialized(metrics(Metric(name="odd", gauge=Gauge(data_points=points))))
    assert victim.send(Signal.METRICS, body).status == 200
    assert victim.count("otel_metrics_gauge") == 4
    assert victim.count("otel_metrics_gauge WHERE isNaN(Value)") == 1
    assert victim.count("otel_metrics_gauge WHERE isInfinite(Value)") == 2


@over_http
@pytest.mark.parametrize("media_type", ["", "text/plain", "application/grpc", "application/x-protobuf2", "*/*"])
def test_a_media_type_that_is_not_spoken(victim: Victim, media_type: str) -> None:
    assert victim.http(Signal.TRACES, GOOD, media_type).status == 415
    assert victim.stored() == 0
