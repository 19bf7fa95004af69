"""Loki's API over HTTP: the requests that Grafana sends, their exact answers, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_ERROR, LogRecord

from api.app import create_app
from api.deps import Services
from api.loki.answers import number_text
from api.reads.reading import Reader
from correlate.engine import Detection
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from ingest.envelope import Signal
from store import Store, Window
from tests.conftest import on_both_homes
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signals
from tests.kit.landing import insert
from tests.kit.otlp import SECOND, T0, logs, put
from tests.kit.serving import serving

CATEGORIZE = {"X-Loki-Response-Encoding-Flags": "categorize-labels", "X-Query-Tags": "Source=logvolhist"}
RANGE: dict[str, Any] = {"start": str(T0 - 60 * SECOND), "end": str(T0 + 60 * SECOND)}
TRACE = bytes(range(16))


@pytest.fixture
def http(store: Store) -> Iterator[httpx.Client]:
    first = LogRecord(
        time_unix_nano=T0 + 123, severity_number=SEVERITY_NUMBER_ERROR, severity_text="Error", trace_id=TRACE
    )
    first.body.string_value = '{"status":200,"path":"/<b>"}'
    put(first.attributes, {"thread.name": "main"})
    second = LogRecord(time_unix_nano=T0 + SECOND)
    second.body.string_value = "status=500 took=15ms"
    insert(store, Signal.LOGS, logs(first, second, **{"k8s.pod.name": "p", "host.name": "h"}))
    services = Services(Reader(store, "default"), lambda *_: "")
    with serving(create_app(services)) as url, httpx.Client(base_url=f"{url}/loki/loki/api/v1", timeout=60) as client:
        yield client


def data(http: httpx.Client, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
    """`data` of a successful answer."""
    answer = http.get(path, params=query, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "success"
    return answer.json()["data"]


def test_grafanas_health_check(http: httpx.Client) -> None:
    asked: dict[str, Any] = {"query": "vector(1)+vector(1)", "time": "4000000000", "direction": "backward"}
    assert data(http, "/query", **asked) == {
        "resultType": "vector",
        "result": [{"metric": {}, "value": [4000000000, "2"]}],
        "stats": {},
    }


@on_both_homes
def test_lines_with_and_without_sorts_of_labels(http: httpx.Client) -> None:
    query = {
        "query": '{service_name="svc"} | json',
        "direction": "forward",
        "limit": "1000",
        "step": "15000ms",
        **RANGE,
    }
    answer = http.get("/query_range", params=query, headers=CATEGORIZE)
    stream = {"service_name": "svc", "k8s_pod_name": "p"}
    metadata = {
        "detected_level": "error", "severity_text": "Error", "severity_number": "17", "trace_id": TRACE.hex(),
        "host_name": "h", "thread_name": "main",
    }  # fmt: skip
    sorts = {"structuredMetadata": metadata, "parsed": {"status": "200", "path": "/<b>"}}
    others = {
        "structuredMetadata": {"detected_level": "unknown", "host_name": "h"},
        "parsed": {"__error__": "JSONParserErr"},
    }
    first, second = [str(T0 + 123), '{"status":200,"path":"/<b>"}'], [str(T0 + SECOND), "status=500 took=15ms"]
    assert answer.json() == {
        "status": "success",
        "data": {
            "resultType": "streams",
            "encodingFlags": ["categorize-labels"],
            "result": [{"stream": stream, "values": [[*first, sorts], [*second, others]]}],
            "stats": {},
        },
    }
    assert list(answer.json()["data"]) == ["resultType", "encodingFlags", "result", "stats"]
    plain = data(http, "/query_range", **query)
    assert plain["result"] == [
        {"stream": {**stream, **metadata, "status": "200", "path": "/<b>"}, "values": [first]},
        {"stream": {**stream, **others["structuredMetadata"], **others["parsed"]}, "values": [second]},
    ]
    assert "encodingFlags" not in plain


def test_a_line_without_other_labels_has_a_third_element_too(http: httpx.Client) -> None:
    kept = data(http, "/query_range", CATEGORIZE, query='{service_name="svc"} | keep service_name', limit="1", **RANGE)
    assert kept["result"][0]["values"] == [[str(T0 + SECOND), "status=500 took=15ms", {}]]


def test_direction_limit_and_a_half_open_range(http: httpx.Client) -> None:
    def times(**query: Any) -> list[str]:
        result = data(http, "/query_range", CATEGORIZE, query='{service_name="svc"}', **RANGE | query)["result"]
        return [value[0] for stream in result for value in stream["values"]]

    assert times() == [str(T0 + SECOND), str(T0 + 123)]
    assert times(direction="forward") == [str(T0 + 123), str(T0 + SECOND)]
    assert times(limit="1") == [str(T0 + SECOND)]
    assert times(end=str(T0 + SECOND)) == [str(T0 + 123)]
    assert times(start=str(T0 + SECOND)) == [str(T0 + SECOND)]
    assert times(start=str(T0 // SECOND), end=f"{T0 // SECOND}.5") == [str(T0 + 123)]


def test_the_log_volume_query(http: httpx.Client) -> None:
    volume = 'sum by (level, detected_level) (count_over_time({service_name="svc"} | drop __error__[15s]))'
    found = data(http, "/query_range", CATEGORIZE, query=volume, step="15000ms", **RANGE)
    assert found["resultType"] == "matrix"
    at = T0 // SECOND + 15
    assert found["result"] == [
        {"metric": {"detected_level": "error"}, "values": [[at, "1"]]},
        {"metric": {"detected_level": "unknown"}, "values": [[at, "1"]]},
    ]


def test_labels_values_and_series(http: httpx.Client) -> None:
    assert data(http, "/labels", **RANGE) == ["k8s_pod_name", "service_name"]
    assert data(http, "/labels", query="{}", **RANGE) == ["k8s_pod_name", "service_name"]
    assert data(http, "/labels", query='{service_name="x"}', **RANGE) == []
    assert data(http, "/label/service_name/values", **RANGE) == ["svc"]
    assert data(http, "/label/k8s_pod_name/values", query='{service_name="svc"}', **RANGE) == ["p"]
    assert data(http, "/label/host_name/values", **RANGE) == []
    assert data(http, "/label/%3Cb%3E%27/values", **RANGE) == []
    asked: dict[str, Any] = {"match[]": ['{service_name="svc"}', '{service_name=~"s.+"}']}
    assert data(http, "/series", **RANGE, **asked) == [{"service_name": "svc", "k8s_pod_name": "p"}]


def test_sizes_and_fields_are_bare(http: httpx.Client) -> None:
    selector = {"query": '{service_name="svc"}', **RANGE}
    assert http.get("/index/stats", params=selector).json() == {"streams": 1, "chunks": 1, "entries": 2, "bytes": 48}
    fields = http.get("/detected_fields", params=selector | {"limit": "1000"}).json()
    assert fields["limit"] == 1000
    by_name = {field.pop("label"): field for field in fields["fields"]}
    assert by_name["status"] == {"type": "int", "cardinality": 2, "parsers": ["json", "logfmt"]}
    assert by_name["took"] == {"type": "duration", "cardinality": 1, "parsers": ["logfmt"]}
    assert by_name["thread_name"] == {"type": "string", "cardinality": 1, "parsers": []}
    values = http.get("/detected_field/status/values", params=selector).json()
    assert values == {"values": ["200", "500"], "limit": 1000}
    volume = data(http, "/index/volume", targetLabels="service_name", **selector)
    assert volume["result"] == [{"metric": {"service_name": "svc"}, "value": [T0 // SECOND + 60, "48"]}]


def test_incidents_are_a_log_stream(http: httpx.Client, store: Store) -> None:
    rows, topology = signals(*GPU_STORY), edges(*SERVING)
    window = Window(nanos(-60), nanos(7200))
    found = assemble(rows, entities(), topology, nanos(7200), "default", CorrelateSettings())
    save_detection(store, "default", Detection(window, rows, entities(), topology, ()), nanos(7200))
    save_incidents(store, "default", found, window, window, nanos(7200))
    (incident,) = store.rows("incident_list", LISTED)
    days: dict[str, Any] = {"start": str(window.start), "end": str(window.start + 30 * 86_400 * SECOND)}
    query: dict[str, Any] = {
        "query": '{service_name="incidents"} | event="signal"',
        "direction": "forward",
        "limit": "5000",
        **days,
    }
    (stream,) = data(http, "/query_range", CATEGORIZE, **query)["result"]
    assert stream["stream"] == {
        "service_name": "incidents", "incident_id": incident["id"], "severity": "critical", "state": incident["state"],
    }  # fmt: skip
    assert len(stream["values"]) == incident["signal_count"]
    told = [value[2]["structuredMetadata"] for value in stream["values"]]
    assert told[0]["title"] == incident["title"]
    assert {each["role"] for each in told} >= {"cause", "effect"}
    journal = f'{{service_name="incidents", incident_id="{incident["id"]}"}} | event="opened"'
    counted = data(http, "/query", query=f"sum(count_over_time({journal} [9000d]))", time="1900000000")["result"]
    assert [sample["value"][1] for sample in counted] == ["1"]
    assert "incidents" in data(http, "/label/service_name/values", **days)
    assert data(http, "/label/severity/values", **days) == ["critical"]


LISTED = {
    "tenant": "default", "start": 0, "end": 2**62, "states": [], "severities": [], "entity": "", "text": "",
    "types": [], "typed": [],
    "before": 0, "before_id": "", "limit": 10,
}  # fmt: skip
SVC = '{service_name="svc"}'
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("/query_range", {"query": SVC, "start": "1795421657326", "end": "1795423457326"}, "milliseconds"),
    ("/query_range", {"query": SVC, "start": "2", "end": "1"}, "before or equal"),
    ("/query_range", {"query": SVC, "limit": "1000000000000"}, "whole number"),
    ("/query_range", {"query": SVC, "limit": "5001"}, "max entries limit"),
    ("/query_range", {"query": SVC, "limit": "-1"}, "whole number"),
    ("/query_range", {"query": SVC, "direction": "sideways"}, "direction"),
    ("/query_range", {"query": SVC, "start": "9" * 30}, "2262"),
    ("/query_range", {"query": SVC, "start": "yesterday"}, "neither"),
    ("/query_range", {"query": SVC, "start": "-5"}, "1970"),
    ("/query_range", {"query": f"rate({SVC}[1m])", "step": "0"}, "zero or negative"),
    ("/query_range", {"query": f"rate({SVC}[1m])", "step": "-1m"}, "zero or negative"),
    ("/query_range", {"query": f"rate({SVC}[1m])", "step": "nan"}, "duration"),
    ("/query_range", {"query": f"rate({SVC}[1m])", "step": "1ms", "start": "1", "end": "1000"}, "11,000 points"),
    ("/query_range", {"query": SVC, "start": "1", "end": "1700000000"}, "longer than"),
    ("/query_range", {"query": "{a=~`(a{1000}){1000}`}"}, "regular expression"),
    ("/query_range", {"query": f"{SVC} | pattern `<x>`"}, "pattern is not supported"),
    ("/query_range", {"query": SVC + "\x00"}, "NUL"),
    ("/query", {"query": SVC}, "instant query type"),
    ("/query", {"query": "<script>alert(1)</script>"}, "parse error"),
    ("/query", {}, "empty"),
    ("/series", {}, "match"),
    ("/series", {"match[]": ["rate({a=`b`}[1m])"]}, "stream selector"),
    ("/index/stats", {"query": "{}"}, "at least one"),
    ("/labels", {"query": "{a="}, "parse error"),
    ("/label/a%00b/values", {}, "NUL"),
    ("/detected_fields", {"query": SVC, "line_limit": "1e3"}, "whole number"),
]


def test_what_cannot_be_asked_is_refused_in_lokis_form(http: httpx.Client) -> None:
    for path, query, reason in BAD:
        answer = http.get(path, params=query)
        assert answer.status_code == 400, (path, query, answer.text)
        body = answer.json()
        assert body["errorType"] == "bad_data"
        assert reason in body["message"], (path, query, body)
        assert body["error"] == body["message"]


def test_what_is_not_offered_is_not_found(http: httpx.Client) -> None:
    assert http.get("/patterns", params={"query": SVC}).status_code == 404
    assert http.get("/drilldown-limits").status_code == 404


def test_numbers_are_written_as_prometheus_does() -> None:
    assert [number_text(value) for value in (2.0, 0.1, -1e20, float("nan"), float("inf"), float("-inf"))] == [
        "2", "0.1", "-1e+20", "NaN", "+Inf", "-Inf",
    ]  # fmt: skip
