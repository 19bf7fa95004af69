"""Tempo's trace call: what comes back is what OTLP brought."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from ingest.envelope import Signal
from store import Store
from tests.conftest import on_both_homes
from tests.kit.landing import insert
from tests.kit.otlp import T0, put, traces
from tests.kit.serving import serving


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    services = Services(Reader(store, "default"), lambda *_: "")
    with serving(create_app(services)) as url, httpx.Client(base_url=f"{url}/tempo/api", timeout=60) as client:
        yield client


@on_both_homes
def test_a_trace_comes_back_as_it_came(http: httpx.Client, store: Store) -> None:
    span = Span(
        trace_id=bytes(range(16)),
        span_id=bytes(range(8)),
        parent_span_id=bytes(range(8, 16)),
        name="GET /<b>",
        kind=Span.SPAN_KIND_CLIENT,
        trace_state="a=b",
        flags=257,
        start_time_unix_nano=T0 + 1,
        end_time_unix_nano=T0 + 1_000_003,
        status=Status(code=Status.STATUS_CODE_ERROR, message="it broke"),
    )
    put(span.attributes, {"i": 2**60, "d": 0.5, "b": False, "s": "x", "raw": b"\x00\xff"})
    put(span.events.add(time_unix_nano=T0 + 5, name="exception").attributes, {"type": "KeyError"})
    span.links.add(trace_id=bytes(range(1, 17)), span_id=bytes(range(1, 9)))
    request = traces(span, **{"k8s.pod.name": "p"})
    request.resource_spans[0].scope_spans[0].scope.name = "lib"
    insert(store, Signal.TRACES, request)
    answer = http.get(f"/traces/{span.trace_id.hex()}", headers={"Accept": "application/protobuf"})
    assert answer.headers["Content-Type"] == "application/protobuf"
    assert TracesData.FromString(answer.content) == TracesData(resource_spans=request.resource_spans)


def test_health_and_what_is_not_there(http: httpx.Client) -> None:
    assert http.get("/echo").text == "echo"
    assert http.get("/traces/1234").status_code == 404
    assert http.get("/v2/traces/1234").status_code == 404
    bad = http.get("/traces/xyz")
    assert (bad.status_code, bad.headers["Content-Type"].split(";")[0]) == (400, "text/plain")
