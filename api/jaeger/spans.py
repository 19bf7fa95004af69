"""Stored spans as Jaeger's JSON traces.

The mapping is that of OpenTelemetry to Jaeger, https://opentelemetry.io/docs/specs/otel/trace/sdk_exporters/jaeger/.
Times and durations are whole microseconds; an int64 that JavaScript cannot hold is text, as Jaeger itself writes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from query.traces.find import Row

Tag = dict[str, Any]

_TYPES = {"bool": "bool", "int": "int64", "double": "float64", "bytes": "binary"}
_TRUTH = {"true": True, "false": False}
_SAFE = 2**53 - 1
NO_SERVICE = "unknown_service"


def trace(trace_id: str, spans: Sequence[Row], warnings: list[str] | None = None) -> dict[str, Any]:
    """One trace: its spans, and each distinct resource once as a process p1, p2, ..."""
    processes: dict[str, dict[str, Any]] = {}
    numbers: dict[tuple[Any, ...], str] = {}
    made = []
    for span in spans:
        identity = (span["service"], *map(tuple, (span["resource_keys"], span["resource_values"])))
        process = numbers.setdefault(identity, f"p{len(numbers) + 1}")
        if process not in processes:
            processes[process] = _process(span)
        made.append(_span(span, process))
    return {"traceID": trace_id, "spans": made, "processes": processes, "warnings": warnings}


def _process(span: Row) -> dict[str, Any]:
    tags = _typed(span["resource_keys"], span["resource_values"], span["resource_types"])
    return {
        "serviceName": span["service"] or NO_SERVICE,
        "tags": [tag for tag in tags if tag["key"] != "service.name"],
    }


def _span(span: Row, process: str) -> dict[str, Any]:
    made = {
        "traceID": span["trace_id"],
        "spanID": span["span_id"],
        "operationName": span["name"],
        "references": list(_references(span)),
        "startTime": span["start"] // 1000,
        "duration": span["duration"] // 1000,
        "tags": list(_tags(span)),
        "logs": list(_logs(span)),
        "processID": process,
        "warnings": None,
    }
    # OTLP's flags say in their lowest bit that the trace is sampled, as Jaeger's do; above are remote-parent bits.
    if span["flags"] & 1:
        made["flags"] = 1
    return made


def _references(span: Row) -> Iterable[dict[str, str]]:
    if span["parent_id"]:
        yield {"refType": "CHILD_OF", "traceID": span["trace_id"], "spanID": span["parent_id"]}
    for kind, trace_id, span_id in zip(span["link_kinds"], span["link_trace_ids"], span["link_span_ids"], strict=True):
        yield {
            "refType": "CHILD_OF" if kind == "child_of" else "FOLLOWS_FROM",
            "traceID": trace_id,
            "spanID": span_id,
        }


def _tags(span: Row) -> Iterable[Tag]:
    if span["scope"]:
        yield _text("otel.scope.name", span["scope"])
    if span["scope_version"]:
        yield _text("otel.scope.version", span["scope_version"])
    yield from map(_text, span["scope_keys"], span["scope_values"])
    yield from _typed(span["keys"], span["values"], span["types"])
    if span["kind"] not in ("", "Unspecified"):
        yield _text("span.kind", span["kind"].lower())
    if span["status"] in ("Ok", "Error"):
        yield _text("otel.status_code", span["status"].upper())
    if span["status"] == "Error" and "error" not in span["keys"]:
        yield {"key": "error", "type": "bool", "value": True}
    if span["message"]:
        yield _text("otel.status_description", span["message"])
    if span["trace_state"]:
        yield _text("w3c.tracestate", span["trace_state"])


def _logs(span: Row) -> Iterable[dict[str, Any]]:
    events = zip(span["event_times"], span["event_names"], span["event_keys"], span["event_values"], strict=True)
    for at, name, keys, values in events:
        fields = [_text("event", name)] if name and "event" not in keys else []
        # The tables keep no types of events' attributes (docs/schema.md), so they are text.
        yield {"timestamp": at // 1000, "fields": [*fields, *map(_text, keys, values)]}


def _text(key: str, value: str) -> Tag:
    return {"key": key, "type": "string", "value": value}


def _typed(keys: Sequence[str], values: Sequence[str], types: Sequence[str]) -> Iterable[Tag]:
    # Rows from before types were kept have none.
    kinds = types if len(types) == len(keys) else ["string"] * len(keys)
    for key, value, kind in zip(keys, values, kinds, strict=True):
        try:
            yield {"key": key, "type": _TYPES.get(kind, "string"), "value": _value(value, kind)}
        except ValueError:
            # A value that was redacted is text, whatever it was before.
            yield _text(key, value)


def _value(value: str, kind: str) -> Any:
    if kind == "bool":
        if value not in _TRUTH:
            raise ValueError(value)
        return _TRUTH[value]
    if kind == "int":
        number = int(value)
        return number if abs(number) <= _SAFE else value
    if kind == "double":
        # JSON has no infinities; their text is what can be shown.
        share = float(value)
        return share if math.isfinite(share) else value
    return value
