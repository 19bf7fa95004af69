"""Items that a valid request should not hold: they are refused one by one, and what is beside them is stored."""

from __future__ import annotations

import random
import time
from typing import NamedTuple

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.envelope import Signal
from tests.attacks.victim import Victim
from tests.kit.otlp import SECOND, T0, serialized, span, traces, with_attributes

SEED = random.Random(5)
DAY_NS = 86_400 * SECOND
YEAR_2262 = 2**63 - 1


class Item(NamedTuple):
    """A span, and whether it is refused; one that is stored may have a note."""

    line: str
    name: str
    span: Span
    refused: bool
    noted: bool = False


def at(start: int, end: int) -> Span:
    return span(SEED, start_time_unix_nano=start, end_time_unix_nano=end)


def now() -> int:
    return time.time_ns()


SELF = SEED.randbytes(8)
MANY = {f"k{n}": n for n in range(10_000)}
ITEMS = [
    Item("A10", "time 0", at(0, 0), refused=False, noted=True),
    Item("A10", "the largest time", at(2**64 - 1, 2**64 - 1), refused=True),
    Item("A10", "the year 2262", at(YEAR_2262, YEAR_2262), refused=True),
    Item("A10", "a day ahead", at(now() + DAY_NS, now() + DAY_NS), refused=True),
    Item("A10", "half an hour ahead", at(now() + 1800 * SECOND, now() + 1801 * SECOND), refused=False),
    Item("A10", "an end before its start", at(T0 + SECOND, T0), refused=False),
    Item("A10", "a start in 1970", at(1, 2), refused=False),
    *(
        Item("A13", f"a trace id of {size} bytes", span(SEED, trace_id=b"\x01" * size), refused=True)
        for size in (0, 1, 15, 17, 32, 100_000)
    ),
    Item("A13", "a trace id of zeros", span(SEED, trace_id=bytes(16)), refused=True),
    Item("A13", "a span id of zeros", span(SEED, span_id=bytes(8)), refused=True),
    Item("A13", "a span id of 7 bytes", span(SEED, span_id=b"\x01" * 7), refused=True),
    Item("A13", "a span that is its own parent", span(SEED, span_id=SELF, parent_span_id=SELF), refused=False),
    Item("A04", "10,000 attributes", with_attributes(span(SEED), **MANY), refused=True),
    Item("A04", "a map of 10,000 keys", with_attributes(span(SEED), m=MANY), refused=True),
    Item("A04", "a list of 100,000", with_attributes(span(SEED), m=list(range(100_000))), refused=True),
    Item("A04", "a value of 100 KB", with_attributes(span(SEED), v="v" * 100_000), refused=True),
    Item("A04", "a name of 100 KB", span(SEED, name="n" * 100_000), refused=True),
]


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.line} {item.name}")
def test_an_item_is_refused_and_its_neighbour_stored(victim: Victim, item: Item) -> None:
    name = f"beside {item.name}"
    answer = victim.send(Signal.TRACES, serialized(traces(span(SEED, name=name), item.span)))
    assert (answer.status, answer.refused) == (200, int(item.refused))
    assert bool(answer.text) is (item.refused or item.noted)
    assert victim.stored() == 1 + (not item.refused)
    assert victim.count(f"otel_traces WHERE SpanName = '{name}'") == 1


def test_a_cycle_of_parents_and_ids_twice(victim: Victim) -> None:
    """A13: stored as sent; what reads traces must not follow parents for ever."""
    trace, a, b = SEED.randbytes(16), SEED.randbytes(8), SEED.randbytes(8)
    spans = [
        span(SEED, trace_id=trace, span_id=a, parent_span_id=b),
        span(SEED, trace_id=trace, span_id=b, parent_span_id=a),
        span(SEED, trace_id=trace, span_id=a, parent_span_id=b, name="another of that id"),
    ]
    answer = victim.send(Signal.TRACES, serialized(traces(*spans)))
    assert (answer.status, answer.refused, victim.stored()) == (200, 0, 3)


def test_a_time_lands_on_its_own_day(victim: Victim) -> None:
    """A10: dates beyond the engine's wrap around, and would hide a span in another century."""
    name = SEED.randbytes(8).hex()
    spans = [span(SEED, name=name, start_time_unix_nano=time_ns, end_time_unix_nano=time_ns) for time_ns in (0, T0)]
    assert victim.send(Signal.TRACES, serialized(traces(*spans))).status == 200
    found = f"SELECT toString(toDate(Timestamp)) AS d FROM otel_traces WHERE SpanName = '{name}' ORDER BY d"
    assert victim.store.arrow_text(found)["d"].to_pylist() == ["2026-03-02", time.strftime("%Y-%m-%d", time.gmtime())]
