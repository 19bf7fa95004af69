"""What is refused item by item, what is said about it, and that everything else is stored."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)

from ingest.envelope import Signal
from ingest.errors import BodyTooLarge, MalformedBody
from ingest.outcome import STORED, Outcome
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from store import Store
from tests.kit.landing import count, rows
from tests.kit.otlp import any_value, logs, metrics, put, serialized, span, traces, with_attributes

HOUR = 3_600_000_000_000
# Dead letters expire, so the present it must be.
NOW = time.time_ns()
GO_ZERO = 2**64 - 6795364578871345152


@contextmanager
def running(store: Store, **changes: object) -> Iterator[Pipeline]:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60).model_copy(update=changes))
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.stop()


def sent(pipeline: Pipeline, signal: Signal, *requests: Message | bytes) -> list[Outcome]:
    """The outcomes of requests sent at the same time."""

    async def together() -> list[Outcome]:
        bodies = [r if isinstance(r, bytes) else serialized(r) for r in requests]
        return list(await asyncio.gather(*(pipeline.submit(signal, b, pipeline.budget.hold()) for b in bodies)))

    return asyncio.run(together())


def letters(store: Store) -> Counter[str]:
    """Items among the dead letters, by reason."""
    found = rows(store, "SELECT toString(Reason) AS r, sum(Items) AS n FROM ingest_rejected GROUP BY r")
    return Counter({row["r"]: int(row["n"]) for row in found})


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests are received at NOW."""
    monkeypatch.setattr("ingest.pipeline.time.time_ns", lambda: NOW)


SEED = random.Random(1)
T = NOW - HOUR
LONG = {"k": "x" * 70_000}
MANY = {f"k{n}": n for n in range(1025)}


def a_span(**fields: Any) -> Any:
    return span(SEED, **{"start_time_unix_nano": T, "end_time_unix_nano": T + 1, **fields})


def with_event(attributes: dict[str, Any]) -> Any:
    out = a_span()
    put(out.events.add(name="e").attributes, attributes)
    return out


SPANS = {
    "good": (lambda: a_span(), None),
    "far future": (lambda: a_span(start_time_unix_nano=NOW + 2 * HOUR), "time_in_future"),
    "end in the far future": (lambda: a_span(end_time_unix_nano=NOW + 2 * HOUR), "time_in_future"),
    "2262": (lambda: a_span(start_time_unix_nano=2**63 - 1), "time_in_future"),
    "no partition": (lambda: a_span(start_time_unix_nano=2**64 - 1), "time_in_future"),
    "soon": (lambda: a_span(start_time_unix_nano=NOW + HOUR // 2), None),
    "backwards": (lambda: a_span(end_time_unix_nano=T - 5), None),
    "no start": (lambda: a_span(start_time_unix_nano=0), None),
    "no time": (lambda: a_span(start_time_unix_nano=0, end_time_unix_nano=0), "time_missing"),
    "go's no time": (lambda: a_span(start_time_unix_nano=GO_ZERO, end_time_unix_nano=GO_ZERO), "time_missing"),
    "short trace id": (lambda: a_span(trace_id=b"x" * 15), "trace_id"),
    "long trace id": (lambda: a_span(trace_id=b"x" * 17), "trace_id"),
    "no trace id": (lambda: a_span(trace_id=b""), "trace_id"),
    "zero trace id": (lambda: a_span(trace_id=bytes(16)), "trace_id"),
    "no span id": (lambda: a_span(span_id=b""), "span_id"),
    "zero span id": (lambda: a_span(span_id=bytes(8)), "span_id"),
    "long parent": (lambda: a_span(parent_span_id=b"x" * 9), "span_id"),
    "root": (lambda: a_span(parent_span_id=b""), None),
    "many attributes": (lambda: with_attributes(a_span(), **MANY), "attributes"),
    "many in an event": (lambda: with_event(MANY), "attributes"),
    "long value": (lambda: with_attributes(a_span(), **LONG), "value_size"),
    "long bytes": (lambda: with_attributes(a_span(), k=b"x" * 70_000), "value_size"),
    "long name": (lambda: a_span(name="x" * 70_000), "value_size"),
    "a map of 10,000 keys": (lambda: with_attributes(a_span(), k={f"k{n}": n for n in range(10_000)}), "value_size"),
    "a small map": (lambda: with_attributes(a_span(), k={"a": [1, 2]}), None),
}  # fmt: skip


def a_record(**fields: Any) -> LogRecord:
    return LogRecord(**{"time_unix_nano": T, "body": any_value("hello"), **fields})


RECORDS = {
    "good": (lambda: a_record(), None),
    "far future": (lambda: a_record(time_unix_nano=NOW + 2 * HOUR), "time_in_future"),
    "observed in the far future": (
        lambda: a_record(time_unix_nano=0, observed_time_unix_nano=NOW + 2 * HOUR), "time_in_future"
    ),
    "observed later than it has a time": (lambda: a_record(observed_time_unix_nano=NOW + 2 * HOUR), None),
    "observed only": (lambda: a_record(time_unix_nano=0, observed_time_unix_nano=T), None),
    "no time": (lambda: a_record(time_unix_nano=0), "time_missing"),
    "no trace": (lambda: a_record(trace_id=b"", span_id=b""), None),
    "short trace id": (lambda: a_record(trace_id=b"x"), "trace_id"),
    "short span id": (lambda: a_record(span_id=b"x"), "span_id"),
    "many attributes": (lambda: with_attributes(a_record(), **MANY), "attributes"),
    "long value": (lambda: with_attributes(a_record(), **LONG), "value_size"),
    "long body": (lambda: a_record(body=any_value("x" * (2**20 + 1))), "body_size"),
    "a body as long as may be": (lambda: a_record(body=any_value("x" * 2**20)), None),
    "a nested body": (lambda: a_record(body=any_value({"a": [1, {"b": 2}]})), None),
}  # fmt: skip


def check(store: Store, signal: Signal, table: str, wrap: Any, cases: dict[str, Any], names: list[str]) -> None:
    """Send items in one request, and compare what is stored, refused and said with what should be."""
    items = [cases[name][0]() for name in names]
    reasons = Counter(reason for name in names if (reason := cases[name][1]))
    refused = sum(reasons.values()) - reasons["time_missing"]
    with running(store) as pipeline:
        (outcome,) = sent(pipeline, signal, wrap(*items))
        counted = pipeline.stats()
    assert outcome.rejected == refused
    assert bool(outcome.message) == bool(reasons)
    assert count(store, table) == len(items) - refused
    assert letters(store) == reasons
    assert Counter(counted["rejected"]) + Counter(counted["noted"]) == reasons


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(sorted(SPANS)), min_size=1, max_size=8))
def test_spans_refused_and_stored_are_those_sent(store: Store, names: list[str]) -> None:
    for table in ("otel_traces", "otel_traces_trace_id_ts", "ingest_rejected", "ingest_ledger"):
        store.command(f"TRUNCATE TABLE {table}")
    check(store, Signal.TRACES, "otel_traces", traces, SPANS, names)


@pytest.mark.parametrize("which", ["flat", "nested"])
def test_every_reason_to_refuse_a_span(backend_store: Store, which: str) -> None:
    names = [name for name in SPANS if which == "nested" or "map" not in name]
    check(backend_store, Signal.TRACES, "otel_traces", traces, SPANS, names)


@pytest.mark.parametrize("which", ["flat", "nested"])
def test_every_reason_to_refuse_a_log_record(backend_store: Store, which: str) -> None:
    names = [name for name in RECORDS if which == "nested" or "nested" not in name]
    check(backend_store, Signal.LOGS, "otel_logs", logs, RECORDS, names)


def points(kind: Any) -> list[Any]:
    """A good point, and one for each reason to refuse it."""
    out = [kind(time_unix_nano=T), kind(time_unix_nano=NOW + 2 * HOUR), kind(), kind(time_unix_nano=T)]
    put(out[3].attributes, MANY)
    out.append(kind(time_unix_nano=T))
    put(out[4].attributes, LONG)
    return out


def test_every_reason_to_refuse_a_data_point(backend_store: Store) -> None:
    kinds = {
        "gauge": Metric(name="a", gauge=Gauge(data_points=points(NumberDataPoint))),
        "sum": Metric(name="b", sum=Sum(data_points=points(NumberDataPoint))),
        "histogram": Metric(name="c", histogram=Histogram(data_points=points(HistogramDataPoint))),
        "exponential_histogram": Metric(
            name="d", exponential_histogram=ExponentialHistogram(data_points=points(ExponentialHistogramDataPoint))
        ),
        "summary": Metric(name="e", summary=Summary(data_points=points(SummaryDataPoint))),
    }
    with running(backend_store) as pipeline:
        (outcome,) = sent(pipeline, Signal.METRICS, metrics(*kinds.values()))
    assert outcome.rejected == 15
    assert "5 data points rejected: the time lies too far in the future" in outcome.message
    assert [count(backend_store, f"otel_metrics_{kind}") for kind in kinds] == [2] * 5
    assert letters(backend_store) == {"time_in_future": 5, "attributes": 5, "value_size": 5, "time_missing": 5}


def test_what_lies_below_a_bomb_is_refused_and_its_neighbours_are_stored(store: Store) -> None:
    bomb = traces(a_span(), a_span(), **{f"k{n}": "x" for n in range(300_000)})
    good = traces(a_span())
    scope = traces(a_span())
    put(scope.resource_spans[0].scope_spans[0].scope.attributes, MANY)
    both = traces(a_span(name="kept"))
    both.resource_spans.extend(scope.resource_spans)
    with running(store) as pipeline:
        outcomes = sent(pipeline, Signal.TRACES, bomb, good, both)
    assert [outcome.rejected for outcome in outcomes] == [2, 0, 1]
    assert outcomes[1] == STORED
    assert count(store, "otel_traces") == 2


def test_a_repeat_hears_what_the_first_heard_also_after_a_restart(store: Store) -> None:
    request = traces(a_span(), a_span(trace_id=b""))
    first = Outcome(1, "1 spans rejected: the trace id must have 16 bytes that are not all zero")
    with running(store) as pipeline:
        assert sent(pipeline, Signal.TRACES, request, request) == [first, first]
        assert sent(pipeline, Signal.TRACES, request) == [first]
    with running(store) as pipeline:
        assert sent(pipeline, Signal.TRACES, request) == [first]
    with running(store, remember_in_memory=0) as pipeline:
        assert sent(pipeline, Signal.TRACES, request) == [first]
    assert count(store, "otel_traces") == 1


def test_age_is_limited_where_the_settings_say_so(store: Store) -> None:
    old = [logs(a_record(time_unix_nano=NOW - 10 * HOUR, event_name=str(n))) for n in range(2)]
    with running(store) as pipeline:
        assert sent(pipeline, Signal.LOGS, old[0]) == [STORED]
    with running(store, max_age_s=3600 * 5) as pipeline:
        (outcome,) = sent(pipeline, Signal.LOGS, old[1])
    assert (outcome.rejected, letters(store)) == (1, {"time_too_old": 1})


def test_a_dead_letter_names_a_few_items_and_holds_no_values(store: Store) -> None:
    spans = [with_attributes(a_span(trace_id=b"", name=f"op {n}"), card="4111") for n in range(9)]
    with running(store) as pipeline:
        sent(pipeline, Signal.TRACES, traces(*spans))
    (row,) = rows(store, "SELECT *, hex(Request) AS key FROM ingest_rejected")
    sample = [json.loads(text) for text in row["Sample"]]
    assert [item["name"] for item in sample] == [f"op {n}" for n in range(5)]
    assert {item["service"] for item in sample} == {"svc"}
    assert "4111" not in str(row)
    assert (row["Tenant"], row["Signal"], row["Items"], len(row["key"])) == ("default", "traces", 9, 32)


def test_the_queue_goes_on_after_a_batch_that_was_written_elsewhere(store: Store) -> None:
    with running(store, commit_timeout_s=20) as pipeline:
        for name in "abc":
            sent(pipeline, Signal.LOGS, logs(a_record(event_name=name)))
            sent(pipeline, Signal.TRACES, traces(a_span(trace_id=b"", name=name)))
            pipeline._careful._until.clear()
            assert sent(pipeline, Signal.TRACES, traces(a_span(name=name))) == [STORED]
    assert count(store, "otel_traces") == 3


def test_who_sends_what_must_be_refused_is_treated_with_care_for_a_while(store: Store) -> None:
    inserted: list[str] = []
    insert = Store.insert_bytes

    def noting(self: Store, table: str, *arguments: Any) -> None:
        inserted.append(table)
        insert(self, table, *arguments)

    with pytest.MonkeyPatch.context() as patch, running(store) as pipeline:
        patch.setattr(Store, "insert_bytes", noting)
        sent(pipeline, Signal.TRACES, traces(a_span()))
        sent(pipeline, Signal.TRACES, traces(a_span(trace_id=b"")))
        sent(pipeline, Signal.TRACES, traces(a_span()))
        sent(pipeline, Signal.LOGS, logs(a_record()))
    landed = [table for table in inserted if table.startswith("landing_")]
    nested = "landing_traces_nested"
    assert landed == ["landing_traces", "landing_traces", nested, nested, "landing_logs"]


@pytest.mark.parametrize("depth", [50, 1_000, 20_000])
def test_deep_nesting_is_malformed(store: Store, depth: int) -> None:
    value = b"\x0a\x01x"
    for _ in range(depth):
        # ArrayValue.values, in AnyValue.array_value.
        value = _field(0x2A, _field(0x0A, value))
    body = _field(0x0A, _field(0x0A, _field(0x0A, _field(0x0A, b"k") + _field(0x12, value))))
    with running(store) as pipeline:
        with pytest.raises(MalformedBody, match="nested more than"):
            sent(pipeline, Signal.TRACES, body)
        assert pipeline.stats()["inflight_bytes"] == 0


def _field(tag: int, content: bytes) -> bytes:
    size, out = len(content), bytearray([tag])
    while size > 127:
        out.append(size & 127 | 128)
        size >>= 7
    return bytes(out) + bytes([size]) + content


def test_a_body_of_beginnings_is_too_large(store: Store) -> None:
    with running(store) as pipeline:
        for body in (b"\x0a\x00" * 10_000_000, b"\x78\x00" + b"\x0a\x00" * 30_000):
            with pytest.raises(BodyTooLarge):
                sent(pipeline, Signal.TRACES, body)
