"""ClickHouse's decoding of OTLP, field by field and against the reference decoder."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ingest.envelope import Signal
from store import Store
from store.errors import DataRejected
from tests.kit.landing import RECEIVED, count, insert, rows
from tests.kit.otlp import SECOND, T0, any_value, logs, span, traces, with_attributes
from tests.kit.otlp_reference import BODY_DEPTH, comparable, log_row, pairs, read, span_row

SPAN_SQL = (
    "SELECT *, toUnixTimestamp64Nano(Timestamp) AS start, "
    "arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`) AS event_times FROM otel_traces ORDER BY SpanName"
)
LOG_SQL = (
    "SELECT *, toString(BodyType) AS BodyType, toUnixTimestamp64Nano(Timestamp) AS time, "
    "toUnixTimestamp64Nano(ObservedTimestamp) AS observed FROM otel_logs ORDER BY EventName"
)

TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
SCALARS = st.one_of(
    st.none(), st.booleans(), TEXT, st.binary(max_size=6), st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=True, allow_infinity=True),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=12,
)


def nested(depth: int, leaf: Any) -> Any:
    """`leaf` inside `depth` containers, lists and maps in turn."""
    for level in range(depth):
        leaf = [leaf] if level % 2 else {"k": leaf}
    return leaf


def full_span(seed: random.Random, name: str, attributes: dict[str, Any]) -> Span:
    out = span(
        seed,
        7,
        name=name,
        trace_state="a=b",
        flags=0x301,
        dropped_attributes_count=1,
        dropped_events_count=2,
        dropped_links_count=3,
        status=Status(code=Status.STATUS_CODE_ERROR, message="went wrong"),
        kind=3,
    )
    with_attributes(out, **attributes)
    with_attributes(out.events.add(name="exception", time_unix_nano=T0 + 5, dropped_attributes_count=4), **attributes)
    out.events.add(name="bare", time_unix_nano=T0 + 6)
    link = out.links.add(trace_id=seed.randbytes(16), span_id=seed.randbytes(8), trace_state="c=d", flags=1)
    with_attributes(link, **attributes)
    return out


def check_span(row: dict[str, Any], sent: Span) -> None:
    expected = span_row(sent)
    assert {name: row[name] for name in expected} == expected
    for stored, original in [
        (row["SpanAttributes"], sent.attributes),
        *zip(row["Events.Attributes"], (event.attributes for event in sent.events), strict=True),
        *zip(row["Links.Attributes"], (link.attributes for link in sent.links), strict=True),
    ]:
        got, wanted = pairs(stored, original)
        assert got == wanted


def test_a_span_with_everything(store: Store) -> None:
    attributes = {"s": "", "i": 0, "b": False, "d": 0.5, "raw": b"\xff\x00", "none": None, "list": ["a", 1, [True]]}
    sent = full_span(random.Random(1), "one", attributes)
    request = traces(sent, **{"host.arch": "arm64", "process.command_args": ["python", "-m"]})
    request.resource_spans[0].schema_url = "https://schema/resource"
    request.resource_spans[0].resource.dropped_attributes_count = 9
    scope = request.resource_spans[0].scope_spans[0]
    scope.schema_url = "https://schema/scope"
    scope.scope.name, scope.scope.version, scope.scope.dropped_attributes_count = "lib", "2.0", 8
    with_attributes(scope.scope, team="x")
    insert(store, Signal.TRACES, request, batch=42, tenant="acme")
    (row,) = rows(store, SPAN_SQL)
    check_span(row, sent)
    assert row["ServiceName"] == "svc"
    assert dict(row["ResourceAttributes"]) == {
        "service.name": "svc", "host.arch": "arm64", "process.command_args": '["python","-m"]',
    }  # fmt: skip
    kinds = ["string", "int", "bool", "double", "bytes", "none", "array"]
    assert rows(store, "SELECT SpanAttributeTypes::Array(String) AS t FROM otel_traces") == [{"t": kinds}]
    assert (row["ScopeName"], row["ScopeVersion"], row["ScopeAttributes"]) == ("lib", "2.0", [("team", "x")])
    assert (row["ScopeSchemaUrl"], row["ResourceSchemaUrl"]) == ("https://schema/scope", "https://schema/resource")
    assert (row["ResourceDroppedAttrCount"], row["ScopeDroppedAttrCount"]) == (9, 8)
    assert (row["Tenant"], row["Batch"]) == ("acme", 42)
    (lookup,) = rows(store, "SELECT TraceId, toUnixTimestamp(Start) AS s, Tenant, Batch FROM otel_traces_trace_id_ts")
    assert lookup == {"TraceId": sent.trace_id.hex(), "s": T0 // SECOND, "Tenant": "acme", "Batch": 42}


def test_empty_arrays_and_maps_among_flat_values(store: Store) -> None:
    insert(store, Signal.TRACES, traces(with_attributes(span(random.Random(1)), list=[], map={}, raw=b"\x00", s="x")))
    (row,) = rows(store, "SELECT SpanAttributes, SpanAttributeTypes::Array(String) AS t FROM otel_traces")
    assert row["SpanAttributes"] == [("list", "[]"), ("map", "{}"), ("raw", "AA=="), ("s", "x")]
    assert row["t"] == ["array", "kvlist", "bytes", "string"]


def test_kinds_and_codes_the_protocol_does_not_know_yet_stay_numbers(store: Store) -> None:
    seed = random.Random(1)
    known = [span(seed, name=f"k{kind}", kind=kind) for kind in range(6)]
    insert(store, Signal.TRACES, traces(*known, span(seed, name="k6", kind=99)))
    got = rows(store, "SELECT SpanKind FROM otel_traces ORDER BY SpanName")
    assert [row["SpanKind"] for row in got] == [
        "Unspecified", "Internal", "Server", "Client", "Producer", "Consumer", "99",
    ]  # fmt: skip


def test_impossible_span_times(store: Store) -> None:
    seed = random.Random(1)
    spans = [
        span(seed, name="a backwards", start_time_unix_nano=T0 + 5, end_time_unix_nano=T0),
        span(seed, name="b no start", start_time_unix_nano=0, end_time_unix_nano=T0),
        span(seed, name="c none", start_time_unix_nano=0, end_time_unix_nano=0),
        span(seed, name="d beyond", start_time_unix_nano=2**64 - 1, end_time_unix_nano=2**64 - 1),
    ]
    insert(store, Signal.TRACES, traces(*spans))
    got = rows(store, "SELECT toUnixTimestamp64Nano(Timestamp) AS t, Duration AS d FROM otel_traces ORDER BY SpanName")
    assert [(row["t"], row["d"]) for row in got] == [(T0 + 5, 0), (T0, 0), (RECEIVED, 0), (RECEIVED, 0)]


def test_ids_of_zeros_are_no_ids(store: Store) -> None:
    insert(
        store, Signal.TRACES, traces(span(random.Random(1), trace_id=bytes(16), span_id=bytes(8), parent_span_id=b""))
    )
    (row,) = rows(store, "SELECT TraceId, SpanId, ParentSpanId FROM otel_traces")
    assert set(row.values()) == {""}
    assert count(store, "otel_traces_trace_id_ts") == 0


def test_log_time_falls_back_to_observed_then_to_arrival(store: Store) -> None:
    records = [
        LogRecord(event_name="a", time_unix_nano=T0, observed_time_unix_nano=T0 + 9),
        LogRecord(event_name="b", observed_time_unix_nano=T0 + 9),
        LogRecord(event_name="c"),
        # A year-1 time of Go's, as some exporters send it: negative, so beyond every time when unsigned.
        LogRecord(event_name="d", time_unix_nano=2**64 - 6795364578871345152, observed_time_unix_nano=T0 + 9),
    ]
    insert(store, Signal.LOGS, logs(*records))
    assert [row["time"] for row in rows(store, LOG_SQL)] == [T0, T0 + 9, RECEIVED, T0 + 9]


@pytest.mark.parametrize("depth", range(9))
def test_bodies_are_json_to_depth_five_and_lossless_beyond(store: Store, depth: int) -> None:
    value = any_value({"deep": nested(depth, 'a "leaf"'), "empty": {}, "none": None, "list": []})
    insert(store, Signal.LOGS, logs(LogRecord(body=value, time_unix_nano=T0)))
    (row,) = rows(store, LOG_SQL)
    assert json.loads(row["Body"]) == comparable(value, BODY_DEPTH)
    assert ("otlp_" in row["Body"]) == (depth + 1 > BODY_DEPTH)


def test_values_that_look_like_the_engines_own_json(store: Store) -> None:
    value = {
        "t": {"t": "s", "s": "x", "b": False, "i": 0, "d": 0},
        "x": '"x":""}}',
        "v": [{"v": []}, '{"k":"', '","v":', ']},"x":""}', "\\u0022", "\\", '\\"', "\\\\u005C"],
        '"k"': {'\\"': '{"t":"a","s":"","b":false,"i":0,"d":0}'},
    }
    insert(store, Signal.LOGS, logs(LogRecord(body=any_value(value), time_unix_nano=T0)))
    (row,) = rows(store, LOG_SQL)
    assert json.loads(row["Body"]) == value


TEXTS = ("NAME", "KEYS", "VALUE", "STATE", "MESSAGE", "EVENT", "SCOPE", "VERSION", "SCHEMA", "HOST", "LINKS", "ARRAY")


@pytest.mark.parametrize("text", TEXTS)
def test_text_that_is_not_utf8_is_refused_wherever_it_stands(store: Store, text: str) -> None:
    sent = with_attributes(span(random.Random(1), name="NAME", trace_state="STATE"), KEYS="VALUE")
    sent.status.message = "MESSAGE"
    with_attributes(sent.events.add(name="EVENT"), event="E")
    with_attributes(sent.links.add(trace_id=bytes([1]) * 16), LINKS="L")
    if text == "ARRAY":
        with_attributes(sent, nested=["ARRAY"])
    request = traces(sent, HOST="h")
    scope = request.resource_spans[0].scope_spans[0]
    scope.schema_url, scope.scope.name, scope.scope.version = "SCHEMA", "SCOPE", "VERSION"
    good = request.SerializeToString()
    insert(store, Signal.TRACES, good)
    with pytest.raises(DataRejected):
        insert(store, Signal.TRACES, good.replace(text.encode(), b"\xc3" + text[1:].encode()))
    assert count(store, "otel_traces") == 1


def test_unknown_fields_are_skipped(store: Store) -> None:
    field_1000 = b"\xc2\x3e\x03abc"
    insert(store, Signal.TRACES, traces(span(random.Random(1))).SerializeToString() + field_1000)
    assert count(store, "otel_traces") == 1


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(TEXT, VALUES, max_size=4), min_size=1, max_size=4), st.integers(0, 2**32))
def test_random_spans_decode_as_the_reference_does(store: Store, attributes: list[dict[str, Any]], seed: int) -> None:
    sent = [full_span(random.Random(seed + n), f"{n}", values) for n, values in enumerate(attributes)]
    store.command("TRUNCATE TABLE otel_traces")
    insert(store, Signal.TRACES, traces(*sent))
    for row, original in zip(rows(store, SPAN_SQL), sent, strict=True):
        check_span(row, original)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(VALUES, TEXT, st.integers(0, 24)), min_size=1, max_size=6))
def test_random_logs_decode_as_the_reference_does(store: Store, items: list[tuple[Any, str, int]]) -> None:
    sent = [
        with_attributes(
            LogRecord(
                event_name=f"{n}",
                time_unix_nano=T0 + n,
                observed_time_unix_nano=T0 + 1,
                body=any_value(value),
                severity_text=text,
                severity_number=severity,  # type: ignore[arg-type]
                flags=257,
                trace_id=bytes([1]) * 16,
            ),
            value=value,
        )
        for n, (value, text, severity) in enumerate(items)
    ]
    store.command("TRUNCATE TABLE otel_logs")
    insert(store, Signal.LOGS, logs(*sent))
    for row, original in zip(rows(store, LOG_SQL), sent, strict=True):
        expected = log_row(original)
        assert {name: row[name] for name in expected} == expected
        assert read(row["Body"], original.body) == comparable(original.body, BODY_DEPTH)
        got, wanted = pairs(row["LogAttributes"], original.attributes)
        assert got == wanted
