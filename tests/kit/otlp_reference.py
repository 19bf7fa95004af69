"""A slow decoder of OTLP messages to the rows the store should hold, written for reading and not for speed.

Tests compare ClickHouse's decoding with it.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable
from typing import Any

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Row = dict[str, Any]
ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 5
MEMBERS = ("string", "bool", "int", "double", "array", "kvlist", "bytes")
KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
CODES = ("Unset", "Ok", "Error")


class Double(float):
    """A float equal to an integer of about its size: JSON of 5e16 may have no point."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, int | float) and float(self) == float(other)

    __hash__ = float.__hash__


def member(value: AnyValue) -> str:
    """Which member of AnyValue is set: none, string, bool, ..."""
    which = value.WhichOneof("value")
    return which.removesuffix("_value") if which else "none"


def plain(value: AnyValue, depth: int) -> Any:
    """The value as JSON would hold it; containers deeper than `depth` as their protobuf bytes in base64."""
    kind = member(value)
    if kind == "none":
        return None
    if kind == "bytes":
        return encoded(value.bytes_value)
    if kind == "double":
        number = value.double_value
        return Double(number) if math.isfinite(number) else str(number)
    if kind == "array":
        if depth == 0 and value.array_value.values:
            return {"otlp_array_value": encoded(value.array_value.SerializeToString())}
        return [plain(item, depth - 1) for item in value.array_value.values]
    if kind == "kvlist":
        if depth == 0 and value.kvlist_value.values:
            return {"otlp_kvlist_value": encoded(value.kvlist_value.SerializeToString())}
        return {pair.key: plain(pair.value, depth - 1) for pair in value.kvlist_value.values}
    return getattr(value, f"{kind}_value")


def encoded(data: bytes) -> str:
    """Base64."""
    return base64.b64encode(data).decode()


def comparable(value: AnyValue, depth: int) -> Any:
    """What `read` makes of the text the store should hold for this value."""
    kind = member(value)
    if kind in {"array", "kvlist", "double"}:
        return plain(value, depth)
    if kind == "none":
        return ""
    if kind == "bool":
        return "true" if value.bool_value else "false"
    return str(plain(value, depth))


def read(text: str, value: AnyValue) -> Any:
    """The stored text of `value`, parsed where several texts would do."""
    kind = member(value)
    if kind in {"array", "kvlist"}:
        return json.loads(text)
    if kind == "double":
        number = float(text)
        return number if math.isfinite(number) else str(number)
    return text


def pairs(stored: Iterable[tuple[str, str]], sent: Iterable[KeyValue]) -> tuple[list[Any], list[Any]]:
    """A stored map and a sent list of attributes, both comparable."""
    kept = list(sent)
    got = [(key, read(text, pair.value)) for (key, text), pair in zip(stored, kept, strict=True)]
    return got, [(pair.key, comparable(pair.value, ATTRIBUTE_DEPTH)) for pair in kept]


def span_row(span: Span) -> Row:
    """Columns of otel_traces that hold no attributes."""
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    return {
        "start": start,
        "TraceId": span.trace_id.hex(),
        "SpanId": span.span_id.hex(),
        "ParentSpanId": span.parent_span_id.hex(),
        "TraceState": span.trace_state,
        "SpanName": span.name,
        "SpanKind": KINDS[span.kind],
        "Duration": max(0, end - start),
        "StatusCode": CODES[span.status.code],
        "StatusMessage": span.status.message,
        "Flags": span.flags,
        "DroppedAttrCount": span.dropped_attributes_count,
        "DroppedEventsCount": span.dropped_events_count,
        "DroppedLinksCount": span.dropped_links_count,
        "Events.Name": [event.name for event in span.events],
        "event_times": [event.time_unix_nano for event in span.events],
        "Events.DroppedAttrCount": [event.dropped_attributes_count for event in span.events],
        "Links.TraceId": [link.trace_id.hex() for link in span.links],
        "Links.SpanId": [link.span_id.hex() for link in span.links],
        "Links.TraceState": [link.trace_state for link in span.links],
        "Links.Flags": [link.flags for link in span.links],
    }


def log_row(record: LogRecord) -> Row:
    """Columns of otel_logs that hold neither body nor attributes."""
    return {
        "time": record.time_unix_nano or record.observed_time_unix_nano,
        "observed": record.observed_time_unix_nano,
        "TraceId": record.trace_id.hex(),
        "SpanId": record.span_id.hex(),
        "TraceFlags": record.flags & 0xFF,
        "Flags": record.flags,
        "SeverityText": record.severity_text,
        "SeverityNumber": record.severity_number,
        "EventName": record.event_name,
        "BodyType": member(record.body),
    }
