"""Jaeger's query API over HTTP, on a real store; its own project's fixtures where they are."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.app import create_app
from api.deps import Services
from api.goduration import nanoseconds
from api.jaeger.spans import _typed
from api.reads.reading import Reader
from ingest.envelope import Signal
from ingest.otlp_json import protobuf_of
from store import Store
from tests.conftest import on_both_homes
from tests.kit.landing import insert
from tests.kit.otlp import SECOND, T0, put, traces
from tests.kit.serving import serving

HOUR_US = 3_600_000_000
FIXTURES = "suites/jaeger/internal/storage/integration/fixtures"
GOLDEN = "suites/jaeger/cmd/jaeger/internal/extension/jaegerquery/internal/fixture"


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    services = Services(Reader(store, "default"), lambda *_: "")
    with serving(create_app(services)) as url, httpx.Client(base_url=f"{url}/jaeger", timeout=60) as client:
        yield client


def span(number: int, name: str = "GET /", parent: int = 0, trace: int = 1, at: int = 0, **attributes: Any) -> Span:
    made = Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=name,
        kind=Span.SPAN_KIND_SERVER,
        start_time_unix_nano=T0 + at,
        end_time_unix_nano=T0 + at + 1_500_000,
    )
    put(made.attributes, attributes)
    return made


def window(**more: str) -> dict[str, str]:
    return {"service": "svc", "start": str(T0 // 1000 - HOUR_US), "end": str(T0 // 1000 + HOUR_US), **more}


def found(http: httpx.Client, **query: str) -> list[str]:
    answer = http.get("/api/traces", params=query)
    assert answer.status_code == 200, answer.text
    assert all(trace["spans"] for trace in answer.json()["data"])
    return [trace["traceID"] for trace in answer.json()["data"]]


def test_the_golden_pair_of_the_jaeger_project(http: httpx.Client, store: Store, shared: Path) -> None:
    folder = shared / GOLDEN
    insert(store, Signal.TRACES, protobuf_of(Signal.TRACES, (folder / "otlp2jaeger-in.json").read_bytes()))
    answer = http.get("/api/traces/83a9efd15c1c98a977e0711cc93ee28b")
    assert answer.json() == json.loads((folder / "otlp2jaeger-out.json").read_text())


def test_every_query_of_jaegers_storage_suite_finds_its_traces(http: httpx.Client, store: Store, shared: Path) -> None:
    texts = {path.stem: path.read_bytes() for path in sorted((shared / FIXTURES / "traces").glob("*.json"))}
    insert(store, Signal.TRACES, *(protobuf_of(Signal.TRACES, text) for text in texts.values()))
    ids = {
        name: json.loads(text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["traceId"]
        for name, text in texts.items()
    }
    queries = json.loads((shared / FIXTURES / "queries.json").read_text())
    wrong = {}
    for query in queries:
        asked = query["Query"]
        micros = {
            name: str(int(datetime.fromisoformat(asked[field]).timestamp() * 1_000_000))
            for name, field in (("start", "StartTimeMin"), ("end", "StartTimeMax"))
        }
        parameters = {
            "service": asked["ServiceName"],
            "operation": asked["OperationName"],
            "minDuration": f"{asked['DurationMin']}ns" if asked["DurationMin"] else "",
            "maxDuration": f"{asked['DurationMax']}ns" if asked["DurationMax"] else "",
            "limit": str(asked["NumTraces"]),
            "tags": json.dumps(asked["Tags"]) if asked["Tags"] else "",
        }
        expected = {ids[name] for name in query["ExpectedFixtures"]}
        if (got := set(found(http, **parameters, **micros))) != expected:
            wrong[query["Caption"]] = (got, expected)
    assert wrong == {}
    assert len(queries) == 25


@on_both_homes
def test_types_times_and_references(http: httpx.Client, store: Store) -> None:
    child = span(
        2, parent=1, at=1_999, small=7, large=2**60, share=0.5, whole=3.0, yes=True, raw=b"\x00\x01", many=[1, "a"]
    )
    child.status.code, child.status.message = Status.STATUS_CODE_ERROR, "it broke"
    child.trace_state, child.flags = "a=b", 1
    event = child.events.add(name="exception", time_unix_nano=T0 + 2_500)
    put(event.attributes, {"exception.type": "KeyError"})
    child.links.add(trace_id=(9).to_bytes(16, "big"), span_id=(8).to_bytes(8, "big"))
    insert(store, Signal.TRACES, traces(span(1), child, **{"k8s.pod.name": "p", "host.cpus": 8}))
    body = http.get("/api/traces/1").json()
    (trace,) = body["data"]
    assert {key: body[key] for key in ("total", "limit", "offset", "errors")} == {
        "total": 0, "limit": 0, "offset": 0, "errors": None,
    }  # fmt: skip
    assert trace["processes"] == {
        "p1": {
            "serviceName": "svc",
            "tags": [
                {"key": "k8s.pod.name", "type": "string", "value": "p"},
                {"key": "host.cpus", "type": "int64", "value": 8},
            ],
        }
    }
    _, made = trace["spans"]
    assert (made["startTime"], made["duration"], made["flags"]) == (T0 // 1000 + 1, 1500, 1)
    tags = {tag["key"]: (tag["type"], tag["value"]) for tag in made["tags"]}
    assert tags == {
        "small": ("int64", 7),
        "large": ("int64", str(2**60)),
        "share": ("float64", 0.5),
        "whole": ("float64", 3.0),
        "yes": ("bool", True),
        "raw": ("binary", "AAE="),
        "many": ("string", '[1,"a"]'),
        "span.kind": ("string", "server"),
        "otel.status_code": ("string", "ERROR"),
        "error": ("bool", True),
        "otel.status_description": ("string", "it broke"),
        "w3c.tracestate": ("string", "a=b"),
    }
    assert made["references"] == [
        {"refType": "CHILD_OF", "traceID": f"{1:032x}", "spanID": f"{1:016x}"},
        {"refType": "FOLLOWS_FROM", "traceID": f"{9:032x}", "spanID": f"{8:016x}"},
    ]
    assert made["logs"] == [
        {
            "timestamp": T0 // 1000 + 2,
            "fields": [
                {"key": "event", "type": "string", "value": "exception"},
                {"key": "exception.type", "type": "string", "value": "KeyError"},
            ],
        }
    ]


def test_services_operations_and_dependencies(http: httpx.Client, store: Store) -> None:
    insert(store, Signal.TRACES, traces(span(1, "GET /a"), span(2, "<b>&x", parent=1), **{"service.name": "a/b c"}))
    insert(store, Signal.TRACES, traces(span(3, "call", parent=2), span(4, "call", parent=1)), batch=2)
    insert(store, Signal.TRACES, traces(span(5, "other"), **{"service.name": "foreign"}), batch=3, tenant="other")
    services = http.get("/api/services").json()
    assert services == {"data": ["a/b c", "svc"], "total": 2, "limit": 0, "offset": 0, "errors": None}
    assert http.get("/api/services/a%2Fb%20c/operations").json()["data"] == ["<b>&x", "GET /a"]
    assert http.get("/api/operations", params={"service": "svc"}).json()["data"] == [
        {"name": "call", "spanKind": "server"}
    ]
    asked = {"endTs": str(T0 // 1_000_000 + 60_000), "lookback": "3600000"}
    assert http.get("/api/dependencies", params=asked).json()["data"] == [
        {"parent": "a/b c", "child": "svc", "callCount": 2}
    ]
    assert http.get("/api/dependencies", params=asked | {"lookback": "1"}).json()["data"] == []


def test_search_by_what_grafanas_form_sends(http: httpx.Client, store: Store) -> None:
    failed = span(1, "GET /x", trace=0xA, **{"http.status_code": 500})
    failed.status.code = Status.STATUS_CODE_ERROR
    insert(store, Signal.TRACES, traces(failed, span(2, "GET /y", trace=0xB, at=5 * SECOND)))
    first, second = f"{0xA:032x}", f"{0xB:032x}"
    assert found(http, **window()) == [second, first]
    assert found(http, **window(limit="1")) == [second]
    assert found(http, **window(operation="GET /x")) == [first]
    assert found(http, **window(tags='{"error":"true"}')) == [first]
    assert found(http, **window(tags='{"http.status_code":"500"}')) == [first]
    assert found(http, **window(tags='{"http.status_code":500}')) == [first]
    assert found(http, **window(tag="http.status_code:500")) == [first]
    assert found(http, **window(tags='{"span.kind":"server","otel.status_code":"ERROR"}')) == [first]
    assert found(http, **window(minDuration="1.4ms", maxDuration="1500us")) == [second, first]
    assert found(http, **window(minDuration="1.6ms")) == []
    assert found(http, **window(service="' OR 1=1 --")) == []
    assert found(http, **window(tags=json.dumps({"a'b\n": "x\\y\n\t'{z:String}"}))) == []
    assert found(http, **window(end=str(T0 // 1000 + 1))) == [first]
    assert found(http, traceID=first) == [first]


def test_a_trace_of_another_tenant_is_not_there(http: httpx.Client, store: Store) -> None:
    insert(store, Signal.TRACES, traces(span(1)), tenant="other")
    assert http.get("/api/traces/1").status_code == 404
    assert found(http, **window()) == []


BAD: list[tuple[str, dict[str, str]]] = [
    ("/api/traces", {}),
    ("/api/traces", {"service": "a", "limit": "1e12"}),
    ("/api/traces", {"service": "a", "limit": "-1"}),
    ("/api/traces", {"service": "a", "start": "9" * 20}),
    ("/api/traces", {"service": "a", "start": "soon"}),
    ("/api/traces", {"service": "a", "start": "20", "end": "10"}),
    ("/api/traces", {"service": "a", "tags": "{"}),
    ("/api/traces", {"service": "a", "tags": '{"a":{"b":1}}'}),
    ("/api/traces", {"service": "a", "tags": json.dumps({str(n): "" for n in range(51)})}),
    ("/api/traces", {"service": "a", "minDuration": "-1s"}),
    ("/api/traces", {"service": "a", "minDuration": "2s", "maxDuration": "1s"}),
    ("/api/traces", {"service": "a", "minDuration": "9" * 17 + "h"}),
    ("/api/traces", {"service": "a\x00b"}),
    ("/api/traces", {"service": "a" * 20_001}),
    ("/api/traces/xyz", {}),
    ("/api/traces/" + "a" * 33, {}),
    ("/api/traces/%00", {}),
    ("/api/operations", {}),
    ("/api/dependencies", {"endTs": str(T0)}),
    ("/api/dependencies", {"lookback": "-5"}),
]


def test_what_cannot_be_asked_is_refused_in_jaegers_form(http: httpx.Client) -> None:
    for path, query in BAD:
        answer = http.get(path, params=query)
        assert answer.status_code == 400, (path, query, answer.text)
        (error,) = answer.json()["errors"]
        assert error["code"] == 400
        assert error["msg"]


def test_an_unknown_trace_is_not_found(http: httpx.Client) -> None:
    answer = http.get("/api/traces/deadbeef")
    assert (answer.status_code, answer.json()["data"]) == (404, None)
    assert answer.json()["errors"] == [{"code": 404, "msg": "trace not found"}]


def test_what_was_redacted_is_text() -> None:
    pairs = [
        ("1", "int"),
        ("[REDACTED]", "int"),
        ("[REDACTED]", "double"),
        ("nan", "double"),
        ("x", "bool"),
        ("true", "bool"),
    ]
    keys = [str(at) for at in range(len(pairs))]
    tags = list(_typed(keys, [value for value, _ in pairs], [kind for _, kind in pairs]))
    assert [(tag["type"], tag["value"]) for tag in tags] == [
        ("int64", 1),
        ("string", "[REDACTED]"),
        ("string", "[REDACTED]"),
        ("float64", "nan"),
        ("string", "x"),
        ("bool", True),
    ]


@given(st.integers(0, 10**6), st.sampled_from(["ns", "us", "µs", "ms", "s", "m", "h"]))
def test_go_durations(number: int, unit: str) -> None:
    scale = {"ns": 1, "us": 10**3, "µs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}[unit]
    assert nanoseconds(f"{number}{unit}") == number * scale
    assert nanoseconds(f"-{number}{unit}0.5s") == -(number * scale + 500_000_000)
    assert nanoseconds(f"{number}") == (0 if number == 0 else None)


@pytest.mark.slow
def test_a_trace_among_many_is_found_quickly(http: httpx.Client, store: Store) -> None:
    """The bar is 50 ms among ten million spans; a tenth of that here, spread over a week, so that days are skipped."""
    store.command(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind, ServiceName, Duration, Tenant, Batch)"
        " SELECT toDateTime64('2026-03-02 08:00:00', 9, 'UTC') + toIntervalSecond(number % 604800), "
        "lower(hex(MD5(toString(intDiv(number, 10))))), lower(hex(number)), concat('op', toString(number % 50)), "
        "'Server', concat('svc-', toString(number % 20)), 1000, 'default', 1 FROM numbers(1000000)"
    )
    wanted = store.arrow_text("SELECT lower(hex(MD5('77'))) AS id")["id"][0].as_py()
    http.get(f"/api/traces/{wanted}")
    times = []
    for _ in range(9):
        began = time.perf_counter()
        assert len(http.get(f"/api/traces/{wanted}").json()["data"][0]["spans"]) == 10
        times.append(time.perf_counter() - began)
    assert sorted(times)[4] < 1.0
    print(f"trace by id: median {sorted(times)[4] * 1000:.0f} ms")  # noqa: T201
