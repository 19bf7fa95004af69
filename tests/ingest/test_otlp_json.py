"""OTLP JSON: what the specification allows becomes protobuf, what it does not is refused, and says where."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from ingest.envelope import Signal
from ingest.errors import MalformedBody
from ingest.otlp_json import protobuf_of, recorded


def a_span(**fields: Any) -> dict[str, Any]:
    return {"resourceSpans": [{"scopeSpans": [{"spans": [fields]}]}]}


def a_record(**fields: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [fields]}]}]}


def a_metric(**fields: Any) -> dict[str, Any]:
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [fields]}]}]}


def a_point(**fields: Any) -> dict[str, Any]:
    return a_metric(gauge={"dataPoints": [fields]})


def span(document: Any) -> Span:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request = ExportTraceServiceRequest.FromString(protobuf_of(Signal.TRACES, body))
    return request.resource_spans[0].scope_spans[0].spans[0]


def record(document: Any) -> LogRecord:
    request = ExportLogsServiceRequest.FromString(protobuf_of(Signal.LOGS, json.dumps(document).encode()))
    return request.resource_logs[0].scope_logs[0].log_records[0]


def metric(document: Any) -> Metric:
    request = ExportMetricsServiceRequest.FromString(protobuf_of(Signal.METRICS, json.dumps(document).encode()))
    return request.resource_metrics[0].scope_metrics[0].metrics[0]


def refused(document: Any, signal: Signal = Signal.TRACES) -> str:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(MalformedBody) as raised:
        protobuf_of(signal, body)
    assert str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("write", [str.lower, str.upper, str.title])
def test_ids_are_hexadecimal_in_any_case_everywhere(write: Any) -> None:
    trace, one = write("0af7651916cd43dd8448eb211c80319c"), write("b7ad6b7169203331")
    sent = span(a_span(traceId=trace, spanId=one, parentSpanId=one, links=[{"traceId": trace, "spanId": one}]))
    assert (sent.trace_id.hex(), sent.span_id.hex()) == (trace.lower(), one.lower())
    assert sent.parent_span_id == sent.span_id == sent.links[0].span_id
    assert sent.links[0].trace_id == record(a_record(traceId=trace, spanId=one)).trace_id == sent.trace_id
    point = metric(a_point(exemplars=[{"traceId": trace, "spanId": one, "asInt": "1"}])).gauge.data_points[0]
    assert (point.exemplars[0].trace_id, point.exemplars[0].span_id) == (sent.trace_id, sent.span_id)


@pytest.mark.parametrize("value", ["xyz", "abc", "0a 0b", "0x0a", "é0", 7, ["0a"], True, "CvdlGRbNQ92ESOshHIAxnA=="])
def test_what_is_not_hexadecimal_is_no_id(value: Any) -> None:
    assert refused(a_span(traceId=value)) == "traceId: hexadecimal digits are expected"


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("1544712660000000000", 1544712660000000000),
        (1544712660000000000, 1544712660000000000),
        (1.5e18, 1_500_000_000_000_000_000),
        ("1.5e18", 1_500_000_000_000_000_000),
        ("18446744073709551615", 2**64 - 1),
        (2**64 - 1, 2**64 - 1),
        ("0", 0),
        (0, 0),
        ("7.0", 7),
    ],
)
def test_64_bit_integers_are_strings_or_numbers(value: Any, number: int) -> None:
    assert span(a_span(startTimeUnixNano=value)).start_time_unix_nano == number


@pytest.mark.parametrize(
    "value",
    [
        2**64, str(2**64), -1, "-1", 1.5, "1.5", "1e400", "1e999999999", "0x10", " 1", "1_000", "", "soon", "9" * 5000,
        "١", True, [], {}, 1e300, "NaN",
    ],
)  # fmt: skip
def test_what_is_no_unsigned_64_bit_integer_is_refused(value: Any) -> None:
    assert refused(a_span(startTimeUnixNano=value)).startswith("startTimeUnixNano: an integer from 0 to 1844674")


def test_signed_and_small_integers_have_their_own_ranges() -> None:
    for value in (-(2**63), str(-(2**63)), "-5", -5.0, 2**63 - 1):
        assert metric(a_point(asInt=value)).gauge.data_points[0].as_int == int(value)
    for value in (2**63, str(-(2**63) - 1)):
        assert "asInt" in refused(a_point(asInt=value), Signal.METRICS)
    assert "flags" in refused(a_span(flags=2**32))
    buckets = {"offset": -(2**31), "bucketCounts": ["1", 2]}
    sent = metric(a_metric(exponentialHistogram={"dataPoints": [{"scale": -3, "positive": buckets}]}))
    assert sent.exponential_histogram.data_points[0].positive.offset == -(2**31)
    assert list(sent.exponential_histogram.data_points[0].positive.bucket_counts) == [1, 2]
    buckets["offset"] = 2**31
    assert "offset" in refused(a_metric(exponentialHistogram={"dataPoints": [{"positive": buckets}]}), Signal.METRICS)


def test_enums_are_numbers_known_or_not_and_names() -> None:
    kinds = [span(a_span(kind=kind)).kind for kind in (2, "SPAN_KIND_SERVER", 99, -1, 2.0, "3")]
    assert kinds == [2, 2, 99, -1, 2, 3]
    for value in ("SERVER", "Server", True, 2**31, 1.5, [2]):
        assert refused(a_span(kind=value)).startswith("kind: ")


def test_unknown_keys_are_ignored_at_every_depth() -> None:
    def strewn(value: Any) -> Any:
        if isinstance(value, list):
            return [strewn(item) for item in value]
        if isinstance(value, dict):
            return {"foo": [{"bar": [None, 1e300]}], **{key: strewn(item) for key, item in value.items()}, "z": None}
        return value

    document = a_span(
        name="n", status={"code": 2}, events=[{"name": "e"}],
        attributes=[{"key": "k", "value": {"arrayValue": {"values": [{"intValue": "3"}]}}}],
    )  # fmt: skip
    assert span(strewn(document)) == span(document)
    assert protobuf_of(Signal.TRACES, b'{"resourceLogs":[{}]}') == b""


def test_keys_in_snake_case_are_unknown() -> None:
    document = a_span(trace_state="a=b", start_time_unix_nano="5", name="n", trace_id=7)
    assert span(document) == Span(name="n")
    assert protobuf_of(Signal.TRACES, b'{"resource_spans":[{"scope_spans":[{}]}]}') == b""


def test_doubles_that_are_no_numbers_are_words() -> None:
    def value(sent: Any) -> float:
        return metric(a_point(asDouble=sent)).gauge.data_points[0].as_double

    assert math.isnan(value("NaN"))
    assert [value(sent) for sent in ("Infinity", "-Infinity", 1, "1.5", "-2e3", 1e-7)] == [
        math.inf, -math.inf, 1, 1.5, -2000, 1e-7,
    ]  # fmt: skip
    words: list[Any] = ["nan", "inf", "Inf", "+1", " 1", "1e400", "", True, []]
    for wrong in words:
        assert refused(a_point(asDouble=wrong), Signal.METRICS) == "asDouble: a number is expected"
    refused(a_point(asDouble=10**400), Signal.METRICS)


def test_minus_zero_keeps_its_sign() -> None:
    sent = metric(a_metric(summary={"dataPoints": [{"sum": -0.0}]}))
    assert math.copysign(1, sent.summary.data_points[0].sum) == -1


def test_bytes_are_base64_in_either_alphabet() -> None:
    for text in ("+/8AAQ==", "-_8AAQ==", "-_8AAQ", "+/8AAQ"):
        assert record(a_record(body={"bytesValue": text})).body.bytes_value == b"\xfb\xff\x00\x01"
    assert record(a_record(body={"bytesValue": ""})).body.WhichOneof("value") == "bytes_value"
    wrongs: list[Any] = ["a", "+/8 AAQ", "é", 7, [1]]
    for wrong in wrongs:
        assert refused(a_record(body={"bytesValue": wrong}), Signal.LOGS) == "bytesValue: base64 is expected"


def test_null_is_no_value() -> None:
    document = a_span(name=None, attributes=None, status=None, kind=None, startTimeUnixNano=None, traceId=None)
    assert span(document) == Span()
    assert protobuf_of(Signal.TRACES, b'{"resourceSpans":null}') == b""
    assert not record(a_record(body={"stringValue": None})).body.WhichOneof("value")
    assert "an object is expected" in refused(b'{"resourceSpans":[null]}')
    assert "an integer" in refused(
        a_metric(histogram={"dataPoints": [{"bucketCounts": [None]}]}), Signal.METRICS
    )  # fmt: skip


@pytest.mark.parametrize(
    "document",
    [
        {"resourceSpans": {}}, {"resourceSpans": "x"}, {"resourceSpans": [7]}, {"resourceSpans": [[]]},
        a_span(name=7), a_span(name=["a"]), a_span(attributes={"k": "v"}), a_span(attributes=["k"]),
        a_span(attributes=[{"key": 7, "value": {"stringValue": "x"}}]),
        a_span(attributes=[{"key": ["k"], "value": {"stringValue": "x"}}]),
        a_span(attributes=[{"key": "k", "value": "x"}]),
        a_span(attributes=[{"key": "k", "value": {"stringValue": 7}}]),
        a_span(attributes=[{"key": "k", "value": {"boolValue": "true"}}]),
        a_span(attributes=[{"key": "k", "value": {"boolValue": 1}}]),
        a_span(attributes=[{"key": "k", "value": {"stringValue": "a", "intValue": "1"}}]),
        a_span(status=[]), a_span(status=2),
    ],
)  # fmt: skip
def test_wrong_types_are_refused(document: Any) -> None:
    assert "expected" in refused(document) or "only one of" in refused(document)


@pytest.mark.parametrize(
    "body",
    [
        b"", b" ", b"{", b"[]", b"7", b"null", b'"x"', b"{} {}", b"{}x", b"\xef\xbb\xbf{}", b"\xff\xfe{\x00}\x00",
        b'{"resourceSpans":[],"resourceSpans":[]}', b'{ "a": {"b": 1, "b": 1} }', b'{"a":1,"\\u0061":1}',
        b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":1e400}', b'{"a":-1e400}', b'{"a":01}', b'{"a":1.}',
        b'{"a":"\\ud800"}', b'{"a":"x\\udc00y"}', b'{"\\ud800":1}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}',
        b'{"a":"\x01"}', b"{'a':1}", b'{"a":1,}', b"{/**/}", b'{"a":' + b"9" * 5000 + b"}",
    ],
)  # fmt: skip
def test_what_is_not_strictly_json_is_refused(body: bytes) -> None:
    refused(body)


@pytest.mark.parametrize("levels", [400, 1_000, 100_000])
def test_depth_is_refused_without_an_end_of_the_stack(levels: int) -> None:
    value = b'{"arrayValue":{"values":[' * levels + b'{"intValue":"1"}' + b"]}}" * levels
    record_of = b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":' + value + b"}]}]}]}"
    assert "deep" in refused(record_of, Signal.LOGS)
    assert "deep" in refused(b"[" * levels * 3 + b"]" * levels * 3, Signal.LOGS) or levels == 400


def test_what_is_refused_is_not_repeated() -> None:
    """An answer goes to logs and to people who need not see what was in the telemetry."""
    documents: list[Any] = [
        a_span(traceId="secret"),
        a_span(startTimeUnixNano="secret"),
        a_span(kind="secret"),
        a_span(attributes=[{"key": "k", "value": {"doubleValue": "secret"}}]),
        {"resourceSpans": "secret"},
        b'{"secret"',
        b'{"a":secret}',
    ]
    for document in documents:
        assert "secret" not in refused(document)


def test_written_with_or_without_spaces_it_is_the_same() -> None:
    document = a_span(name="ä\u2028\U0001f600", attributes=[{"key": "k", "value": {"doubleValue": 1e21}}])
    forms = [
        json.dumps(document).encode(),
        json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode(),
        json.dumps(document, indent=3).encode(),
    ]
    assert len({protobuf_of(Signal.TRACES, form) for form in forms}) == 1


def test_recorded_files_may_hold_what_go_and_python_write() -> None:
    document = json.loads(
        '{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"gauge":{"dataPoints":'
        '[{"timeUnixNano":"-6795364578871345152","asDouble":NaN},{"asDouble":-Infinity}]}}]}]}]}'
    )
    request = ExportMetricsServiceRequest.FromString(recorded(Signal.METRICS, document))
    points = request.resource_metrics[0].scope_metrics[0].metrics[0].gauge.data_points
    assert points[0].time_unix_nano == 2**64 - 6795364578871345152
    assert math.isnan(points[0].as_double)
    assert points[1].as_double == -math.inf
