"""OTLP JSON lines become the protobuf that google's own library would make of them."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.errors import NotOtlp
from api.replay.encode import encode_line
from tests.kit.otlp import google_form

INT64 = st.integers(-(2**63), 2**63 - 1).map(str)
FIXED64 = st.integers(0, 2**64 - 1).map(str)
UINT32 = st.integers(0, 2**32 - 1)
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
VALUES = st.recursive(
    st.fixed_dictionaries({"stringValue": st.text()})
    | st.fixed_dictionaries({"intValue": INT64})
    | st.fixed_dictionaries({"boolValue": st.booleans()})
    | st.fixed_dictionaries({"doubleValue": DOUBLE})
    | st.fixed_dictionaries({"bytesValue": st.binary().map(lambda data: base64.b64encode(data).decode())})
    | st.just({}),
    lambda inner: (
        st.fixed_dictionaries({"arrayValue": st.fixed_dictionaries({"values": st.lists(inner, max_size=3)})})
        | st.fixed_dictionaries(
            {
                "kvlistValue": st.fixed_dictionaries(
                    {"values": st.lists(st.fixed_dictionaries({"key": st.text(), "value": inner}), max_size=3)}
                )
            }
        )
    ),
    max_leaves=6,
)
ATTRIBUTES = st.lists(st.fixed_dictionaries({"key": st.text(), "value": VALUES}), max_size=3)


def identifier(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).map(bytes.hex)


def some(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """An object in which any field may be missing."""
    return st.fixed_dictionaries({}, optional=fields)


SPANS = some(
    traceId=identifier(16), spanId=identifier(8), parentSpanId=identifier(8), name=st.text(), kind=st.integers(0, 5),
    startTimeUnixNano=FIXED64, endTimeUnixNano=FIXED64, attributes=ATTRIBUTES, droppedAttributesCount=UINT32,
    status=some(message=st.text(), code=st.integers(0, 2)), flags=UINT32,
    events=st.lists(some(timeUnixNano=FIXED64, name=st.text(), attributes=ATTRIBUTES), max_size=2),
    links=st.lists(some(traceId=identifier(16), spanId=identifier(8), attributes=ATTRIBUTES), max_size=2),
)  # fmt: skip
RECORDS = some(
    timeUnixNano=FIXED64, observedTimeUnixNano=FIXED64, severityNumber=st.integers(0, 24), severityText=st.text(),
    body=VALUES, attributes=ATTRIBUTES, traceId=identifier(16), spanId=identifier(8), flags=UINT32,
)  # fmt: skip
EXEMPLARS = st.lists(some(timeUnixNano=FIXED64, asDouble=DOUBLE, spanId=identifier(8)), max_size=2)
NUMBERS = st.lists(
    some(timeUnixNano=FIXED64, attributes=ATTRIBUTES, exemplars=EXEMPLARS, asDouble=DOUBLE)
    | some(timeUnixNano=FIXED64, startTimeUnixNano=FIXED64, asInt=INT64, flags=UINT32),
    max_size=3,
)
COUNTS = st.lists(FIXED64, max_size=4)
HISTOGRAMS = st.lists(
    some(
        timeUnixNano=FIXED64, count=FIXED64, sum=DOUBLE, min=DOUBLE, max=DOUBLE, bucketCounts=COUNTS,
        explicitBounds=st.lists(DOUBLE, max_size=3), exemplars=EXEMPLARS,
    ),
    max_size=2,
)  # fmt: skip
BUCKETS = some(offset=st.integers(-(2**31), 2**31 - 1), bucketCounts=COUNTS)
EXPONENTIALS = st.lists(
    some(
        timeUnixNano=FIXED64, count=FIXED64, sum=DOUBLE, scale=st.integers(-10, 20), zeroCount=FIXED64,
        positive=BUCKETS, negative=BUCKETS, zeroThreshold=DOUBLE,
    ),
    max_size=2,
)  # fmt: skip
SUMMARIES = st.lists(
    some(timeUnixNano=FIXED64, count=FIXED64, sum=DOUBLE, quantileValues=st.lists(some(quantile=DOUBLE, value=DOUBLE))),
    max_size=2,
)
TEMPORALITY = st.integers(0, 2)
METRICS = st.fixed_dictionaries(
    {"name": st.text(), "unit": st.text()},
) | st.one_of(
    some(name=st.text(), gauge=some(dataPoints=NUMBERS)),
    some(name=st.text(), sum=some(dataPoints=NUMBERS, aggregationTemporality=TEMPORALITY, isMonotonic=st.booleans())),
    some(name=st.text(), histogram=some(dataPoints=HISTOGRAMS, aggregationTemporality=TEMPORALITY)),
    some(name=st.text(), exponentialHistogram=some(dataPoints=EXPONENTIALS, aggregationTemporality=TEMPORALITY)),
    some(name=st.text(), summary=some(dataPoints=SUMMARIES)),
)


def check(line: dict[str, Any], kind: type[Message], records: int) -> None:
    encoded = encode_line(json.dumps(line).encode())
    assert kind.FromString(encoded.body) == json_format.ParseDict(google_form(line), kind())
    assert encoded.records == records
    # The same line is the same bytes, so that a receiver knows it again.
    assert encode_line(json.dumps(line).encode()).body == encoded.body


@given(st.lists(SPANS, max_size=3), ATTRIBUTES, st.text())
def test_traces(spans: list[Any], attributes: list[Any], schema: str) -> None:
    scope = {"scope": {"name": "s", "version": "1"}, "spans": spans, "schemaUrl": schema}
    line = {"resourceSpans": [{"resource": {"attributes": attributes}, "scopeSpans": [scope]}]}
    check(line, ExportTraceServiceRequest, len(spans))


@given(st.lists(RECORDS, max_size=3), ATTRIBUTES)
def test_logs(records: list[Any], attributes: list[Any]) -> None:
    line = {"resourceLogs": [{"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": records}]}]}
    check(line, ExportLogsServiceRequest, len(records))


@given(st.lists(METRICS, max_size=3))
def test_metrics(metrics: list[Any]) -> None:
    points = sum(len(kind.get("dataPoints", [])) for m in metrics for kind in m.values() if isinstance(kind, dict))
    check({"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}, ExportMetricsServiceRequest, points)


@pytest.mark.parametrize(
    "line",
    [
        b"", b"{", b"[]", b"7", b"{}", b'{"spans": []}', b'{"resourceSpans": 7}', b"\xff\xfe",
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "xyz"}]}]}]}',
        b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"startTimeUnixNano": "soon"}]}]}]}',
    ],
)  # fmt: skip
def test_what_is_not_otlp_says_why(line: bytes) -> None:
    with pytest.raises(NotOtlp) as error:
        encode_line(line)
    assert str(error.value)
