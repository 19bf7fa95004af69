"""Stored spans as OTLP again: what Tempo answers for a trace is the wire form of OTLP's TracesData.

https://github.com/open-telemetry/opentelemetry-proto/blob/main/opentelemetry/proto/trace/v1/trace.proto
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from query.traces.find import Row

_KINDS = ["Unspecified", "Internal", "Server", "Client", "Producer", "Consumer"]
_STATUSES = ["Unset", "Ok", "Error"]


def traces_data(spans: Sequence[Row]) -> TracesData:
    """The spans under their resources and scopes. Arrays and maps are their JSON text, as the tables hold them."""
    made = TracesData()
    resources: dict[tuple[tuple[str, ...], ...], ResourceSpans] = {}
    scopes: dict[tuple[object, ...], ScopeSpans] = {}
    for span in spans:
        whose = (tuple(span["resource_keys"]), tuple(span["resource_values"]))
        if whose not in resources:
            resources[whose] = made.resource_spans.add()
            resources[whose].resource.attributes.extend(_pairs(*whose, span["resource_types"]))
        within = (whose, span["scope"], span["scope_version"], tuple(span["scope_keys"]), tuple(span["scope_values"]))
        if within not in scopes:
            scopes[within] = resources[whose].scope_spans.add()
            scopes[within].scope.name, scopes[within].scope.version = span["scope"], span["scope_version"]
            scopes[within].scope.attributes.extend(_pairs(span["scope_keys"], span["scope_values"], ()))
        _fill(scopes[within].spans.add(), span)
    return made


def _fill(made: Span, span: Row) -> None:
    made.trace_id, made.span_id = bytes.fromhex(span["trace_id"]), bytes.fromhex(span["span_id"])
    made.parent_span_id = bytes.fromhex(span["parent_id"])
    made.trace_state, made.flags, made.name = span["trace_state"], span["flags"], span["name"]
    made.kind = Span.SpanKind.ValueType(_KINDS.index(span["kind"]) if span["kind"] in _KINDS else 0)
    made.start_time_unix_nano = span["start"]
    made.end_time_unix_nano = span["start"] + span["duration"]
    made.attributes.extend(_pairs(span["keys"], span["values"], span["types"]))
    if span["status"] in _STATUSES:
        made.status.code = Status.StatusCode.ValueType(_STATUSES.index(span["status"]))
    made.status.message = span["message"]
    events = zip(span["event_times"], span["event_names"], span["event_keys"], span["event_values"], strict=True)
    for at, name, keys, values in events:
        made.events.add(time_unix_nano=at, name=name, attributes=_pairs(keys, values, ()))
    for trace_id, span_id in zip(span["link_trace_ids"], span["link_span_ids"], strict=True):
        made.links.add(trace_id=bytes.fromhex(trace_id), span_id=bytes.fromhex(span_id))


def _pairs(keys: Sequence[str], values: Sequence[str], types: Sequence[str]) -> list[KeyValue]:
    kinds = types if len(types) == len(keys) else ["string"] * len(keys)
    return [KeyValue(key=key, value=_value(value, kind)) for key, value, kind in zip(keys, values, kinds, strict=True)]


def _value(value: str, kind: str) -> AnyValue:
    try:
        if kind == "int":
            return AnyValue(int_value=int(value))
        if kind == "double":
            return AnyValue(double_value=float(value))
        if kind == "bytes":
            return AnyValue(bytes_value=base64.b64decode(value, validate=True))
    except (ValueError, binascii.Error):
        # A value that was redacted is text, whatever it was before.
        return AnyValue(string_value=value)
    if kind == "bool" and value in ("true", "false"):
        return AnyValue(bool_value=value == "true")
    return AnyValue(string_value=value)
