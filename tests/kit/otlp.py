"""OTLP requests under construction, from plain Python values."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ResourceMetrics, ScopeMetrics
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

# 2026-03-02 08:00:00 UTC, in nanoseconds.
T0 = 1_772_438_400_000_000_000
SECOND = 1_000_000_000
IDS = {"traceId", "spanId", "parentSpanId"}


def any_value(value: Any) -> AnyValue:
    """AnyValue of None, bool, int, float, str, bytes, a list or a dict."""
    out = AnyValue()
    match value:
        case None:
            pass
        case bool():
            out.bool_value = value
        case int():
            out.int_value = value
        case float():
            out.double_value = value
        case str():
            out.string_value = value
        case bytes():
            out.bytes_value = value
        case dict():
            out.kvlist_value.SetInParent()
            put(out.kvlist_value.values, value)
        case _:
            out.array_value.SetInParent()
            out.array_value.values.extend(any_value(item) for item in value)
    return out


def put(pairs: Any, values: Mapping[str, Any]) -> None:
    """Append `values` to a repeated KeyValue field."""
    for key, value in values.items():
        pairs.add(key=key).value.CopyFrom(any_value(value))


def resource(attributes: Mapping[str, Any]) -> Resource:
    """A resource with these attributes."""
    out = Resource()
    put(out.attributes, attributes)
    return out


def traces(*spans: Span, **attributes: Any) -> ExportTraceServiceRequest:
    """One request with these spans under one resource."""
    scope = ScopeSpans(spans=spans)
    return ExportTraceServiceRequest(
        resource_spans=[ResourceSpans(resource=resource({"service.name": "svc", **attributes}), scope_spans=[scope])]
    )


def logs(*records: LogRecord, **attributes: Any) -> ExportLogsServiceRequest:
    """One request with these records under one resource."""
    scope = ScopeLogs(log_records=records)
    return ExportLogsServiceRequest(
        resource_logs=[ResourceLogs(resource=resource({"service.name": "svc", **attributes}), scope_logs=[scope])]
    )


def metrics(*items: Metric, **attributes: Any) -> ExportMetricsServiceRequest:
    """One request with these metrics under one resource."""
    scope = ScopeMetrics(metrics=items)
    return ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(resource=resource({"service.name": "svc", **attributes}), scope_metrics=[scope])
        ]
    )


def with_attributes(message: Any, **attributes: Any) -> Any:
    """The message, with these attributes appended."""
    put(message.attributes, attributes)
    return message


def span(seed: random.Random, number: int = 0, **fields: Any) -> Span:
    """A server span with random ids, `number` milliseconds after T0."""
    start = T0 + number * 1_000_000
    return Span(
        **{
            "trace_id": seed.randbytes(16),
            "span_id": seed.randbytes(8),
            "parent_span_id": seed.randbytes(8),
            "name": f"GET /api/{number % 23}",
            "kind": 2,
            "start_time_unix_nano": start,
            "end_time_unix_nano": start + 1_000 * seed.randrange(100, 900_000),
            **fields,
        },
    )


def busy_request(seed: random.Random, spans: int) -> ExportTraceServiceRequest:
    """A request as a web service sends it: 8 resource attributes, 9 attributes a span."""
    host = f"10-0-{seed.randrange(256)}-{seed.randrange(256)}"
    items = [
        with_attributes(
            span(seed, number),
            **{
                "http.request.method": "GET",
                "http.route": f"/api/{number % 23}",
                "http.response.status_code": seed.choice((200, 200, 200, 404, 500)),
                "url.path": f"/api/{number % 23}/{seed.randrange(10_000)}",
                "url.scheme": "https",
                "server.address": "checkout.shop.svc.cluster.local",
                "server.port": 8443,
                "network.peer.address": f"10.2.{seed.randrange(256)}.{seed.randrange(256)}",
                "user_agent.original": "python-httpx/0.28.1",
            },
        )
        for number in range(spans)
    ]
    return traces(
        *items,
        **{
            "service.name": "checkout",
            "service.namespace": "shop",
            "service.version": "1.4.2",
            "k8s.cluster.name": "prod-1",
            "k8s.namespace.name": "shop",
            "k8s.pod.name": f"checkout-{host}",
            "k8s.node.name": f"ip-{host}.ec2.internal",
            "telemetry.sdk.language": "python",
        },
    )


def serialized(message: Message) -> bytes:
    """The message's bytes, the same every time."""
    return bytes(message.SerializeToString(deterministic=True))


def google_form(value: Any) -> Any:
    """OTLP JSON as protobuf's own JSON: ids in base64 where OTLP has hex; the rest is the same."""
    if isinstance(value, list):
        return [google_form(item) for item in value]
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode() if key in IDS else google_form(item)
            for key, item in value.items()
        }
    return value


def deep_request(levels: int) -> bytes:
    """A request with a value inside so many arrays, deeper than protobuf's own library writes."""
    value = b"\x0a\x01x"
    for _ in range(levels):
        value = _field(0x2A, _field(0x0A, value))
    return _field(0x0A, _field(0x0A, _field(0x0A, b"\x0a\x01k" + _field(0x12, value))))


def _field(tag: int, data: bytes) -> bytes:
    size, out = len(data), bytearray((tag,))
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes(out) + bytes((size,)) + data
