"""Write store/migrations/0004_landing.sql from store/proto/otlp.proto.

The landing tables' columns mirror the messages, and the views' JSON expressions repeat once per
nesting level, so both are generated; the .sql file is committed and a test compares the two.

    python -m scripts.generate_landing           write the file
    python -m scripts.generate_landing --check   exit 1 when the file is stale
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from textwrap import indent

from scripts.otlp_expressions import (
    DEEPER_ARRAY,
    DEEPER_MAP,
    LAST_TIME,
    attributes,
    column_type,
    exemplars,
    hex_id,
    named,
    pairs_hash,
    parse,
    text,
    time,
    types,
    utf8,
)

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "store" / "proto" / "otlp.proto"
TARGET = ROOT / "store" / "migrations" / "0004_landing.sql"

ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 6

SPAN_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES = ("Unset", "Ok", "Error")


RESOURCE = {
    "ResourceAttributes": attributes("r.resource.attributes"),
    "ResourceAttributeTypes": types("r.resource.attributes"),
    "ResourceDroppedAttrCount": "r.resource.dropped_attributes_count",
    "ResourceSchemaUrl": utf8("r.schema_url"),
}
SCOPE = {
    "ScopeName": utf8("c.scope.name"),
    "ScopeVersion": utf8("c.scope.version"),
    "ScopeAttributes": attributes("c.scope.attributes"),
    "ScopeDroppedAttrCount": "c.scope.dropped_attributes_count",
    "ScopeSchemaUrl": utf8("c.schema_url"),
}
ENVELOPE = {"Tenant": "tenant", "Batch": "batch", "Received": "received"}
SERVICE = {"ServiceName": "ResourceAttributes['service.name']"}

TRACES = {
    "Timestamp": time("s.start_time_unix_nano", "if(s.end_time_unix_nano = 0, Received, s.end_time_unix_nano)"),
    "TraceId": hex_id("s.trace_id", 16),
    "SpanId": hex_id("s.span_id", 8),
    "ParentSpanId": hex_id("s.parent_span_id", 8),
    "TraceState": utf8("s.trace_state"),
    "SpanName": utf8("s.name"),
    "SpanKind": named("s.kind", SPAN_KINDS),
    "SpanAttributes": attributes("s.attributes"),
    "Duration": "if(s.start_time_unix_nano = 0 OR s.end_time_unix_nano < s.start_time_unix_nano, 0, "
    "s.end_time_unix_nano - s.start_time_unix_nano)",
    "StatusCode": named("s.status.code", STATUS_CODES),
    "StatusMessage": utf8("s.status.message"),
    "`Events.Timestamp`": f"arrayMap(t -> {time('t')}, s.events.time_unix_nano)",
    "`Events.Name`": f"arrayMap(n -> {utf8('n')}, s.events.name)",
    "`Events.Attributes`": f"arrayMap(a -> {attributes('a')}, s.events.attributes)",
    "`Events.DroppedAttrCount`": "s.events.dropped_attributes_count",
    "`Links.TraceId`": f"arrayMap(i -> {hex_id('i', 16)}, s.links.trace_id)",
    "`Links.SpanId`": f"arrayMap(i -> {hex_id('i', 8)}, s.links.span_id)",
    "`Links.TraceState`": f"arrayMap(n -> {utf8('n')}, s.links.trace_state)",
    "`Links.Attributes`": f"arrayMap(a -> {attributes('a')}, s.links.attributes)",
    "`Links.DroppedAttrCount`": "s.links.dropped_attributes_count",
    "`Links.Flags`": "s.links.flags",
    "Flags": "s.flags",
    "SpanAttributeTypes": types("s.attributes"),
    "DroppedAttrCount": "s.dropped_attributes_count",
    "DroppedEventsCount": "s.dropped_events_count",
    "DroppedLinksCount": "s.dropped_links_count",
}

LOGS = {
    "Timestamp": time("s.time_unix_nano", f"if(s.observed_time_unix_nano = 0 OR s.observed_time_unix_nano > {LAST_TIME}, Received, s.observed_time_unix_nano)"),
    "TraceId": hex_id("s.trace_id", 16),
    "SpanId": hex_id("s.span_id", 8),
    "TraceFlags": "toUInt8(bitAnd(s.flags, 255))",
    "SeverityText": utf8("s.severity_text"),
    "SeverityNumber": "toUInt8(bitAnd(s.severity_number, 255))",
    "Body": text("s.body"),
    "LogAttributes": attributes("s.attributes"),
    "EventName": utf8("s.event_name"),
    "ObservedTimestamp": time(f"if(s.observed_time_unix_nano > {LAST_TIME}, 0, s.observed_time_unix_nano)"),
    "Flags": "s.flags",
    "BodyType": "toInt8(s.body.t)",
    "LogAttributeTypes": types("s.attributes"),
    "DroppedAttrCount": "s.dropped_attributes_count",
}

METRIC = {
    "MetricName": utf8("m.name"),
    "MetricDescription": utf8("m.description"),
    "MetricUnit": utf8("m.unit"),
    "MetricMetadata": attributes("m.metadata"),
}


POINT = {
    "Attributes": attributes("s.attributes"),
    "StartTimeUnix": time(f"if(s.start_time_unix_nano > {LAST_TIME}, 0, s.start_time_unix_nano)"),
    "TimeUnix": time("s.time_unix_nano", "Received"),
    "Flags": "s.flags",
    "AttributeTypes": types("s.attributes"),
}
NUMBER = {
    "Value": "if(s.value = 'as_int', toFloat64(s.as_int), s.as_double)",
    "ValueType": "s.value",
    # Beyond 2^53 a Float64 skips integers.
    "ValueInt": "if(s.as_int > 9007199254740992 OR s.as_int < -9007199254740992, s.as_int, 0)",
}
PRESENCE = {
    name: expression
    for member in ("Sum", "Min", "Max")
    for name, expression in (
        (member, f"ifNull(s.{member.lower()}, 0)"),
        (f"Has{member}", f"isNotNull(s.{member.lower()})"),
    )
}
TEMPORALITY = {"AggregationTemporality": "AggregationTemporality"}
KINDS: dict[str, tuple[dict[str, str], dict[str, str]]] = {
    "gauge": ({}, {**NUMBER, **exemplars("s.exemplars")}),
    "sum": (
        {"AggregationTemporality": "m.sum.aggregation_temporality", "IsMonotonic": "m.sum.is_monotonic"},
        {**NUMBER, **exemplars("s.exemplars"), **TEMPORALITY, "IsMonotonic": "IsMonotonic"},
    ),
    "histogram": (
        {"AggregationTemporality": "m.histogram.aggregation_temporality"},
        {
            "Count": "s.count",
            "BucketCounts": "s.bucket_counts",
            "ExplicitBounds": "s.explicit_bounds",
            **PRESENCE,
            **exemplars("s.exemplars"),
            **TEMPORALITY,
        },
    ),
    "exponential_histogram": (
        {"AggregationTemporality": "m.exponential_histogram.aggregation_temporality"},
        {
            "Count": "s.count",
            "Scale": "s.scale",
            "ZeroCount": "s.zero_count",
            "PositiveOffset": "s.positive.offset",
            "PositiveBucketCounts": "s.positive.bucket_counts",
            "NegativeOffset": "s.negative.offset",
            "NegativeBucketCounts": "s.negative.bucket_counts",
            "ZeroThreshold": "s.zero_threshold",
            **PRESENCE,
            **exemplars("s.exemplars"),
            **TEMPORALITY,
        },
    ),
    "summary": (
        {},
        {
            "Count": "s.count",
            "Sum": "s.sum",
            "`ValueAtQuantiles.Quantile`": "s.quantile_values.quantile",
            "`ValueAtQuantiles.Value`": "s.quantile_values.value",
        },
    ),
}


def select(columns: dict[str, str], source: str, array: str, item: str, where: str = "") -> str:
    """One level of flattening: `columns` of every element of `array`."""
    listed = ",\n".join(f"    {e}" if e == n else f"    {e} AS {n}" for n, e in columns.items())
    inner = source if re.fullmatch(r"\w+", source) else f"(\n{indent(source, '    ')}\n)"
    return f"SELECT\n{listed}\nFROM {inner}\nARRAY JOIN {array} AS {item}{where}"


def keep(columns: dict[str, str]) -> dict[str, str]:
    """The same columns, passed on unchanged."""
    return {name: name for name in columns}


def flatten(landing: str, signal: str, items: str) -> tuple[str, dict[str, str]]:
    """Requests down to scopes: the query text and the columns it hands on, with `items` as `Items`."""
    resource = {**ENVELOPE, **RESOURCE, "Scopes": f"r.scope_{signal}"}
    by_resource = select(resource, landing, f"request.resource_{signal}", "r")
    handed = {**keep(ENVELOPE), **keep(RESOURCE)}
    by_scope = select({**handed, **SERVICE, **SCOPE, "Items": f"c.{items}"}, by_resource, "Scopes", "c")
    return by_scope, {**handed, **keep(SERVICE), **keep(SCOPE)}


def view(name: str, table: str, query: str) -> str:
    """A materialized view that writes `query` to `table`."""
    return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}${{on_cluster}} TO {table} AS\n{query};\n"


def record_view(table: str, landing: str, signal: str, items: str, columns: dict[str, str]) -> str:
    """Spans or log records into their table."""
    source, handed = flatten(landing, signal, items)
    handed = {name: value for name, value in handed.items() if name != "Received"}
    return view(f"{table}_mv", table, select({**handed, **columns}, source, "Items", "s"))


def metric_view(kind: str) -> str:
    """Data points of one kind into their table."""
    of_metric, columns = KINDS[kind]
    by_scope, handed = flatten("landing_metrics", "metrics", "metrics")
    hashed = {"ResourceHash": f"cityHash64(ServiceName, ScopeName, {pairs_hash('ResourceAttributes')})"}
    metric = {**handed, **METRIC, **hashed, **of_metric, "Points": f"m.{kind}.data_points"}
    by_metric = select(metric, by_scope, "Items", "m", f"\nWHERE m.data = '{kind}'")
    handed = {name: value for name, value in {**handed, **keep(METRIC)}.items() if name != "Received"}
    series = {"SeriesHash": f"cityHash64(MetricName, ResourceHash, {pairs_hash('Attributes')})"}
    table = f"otel_metrics_{kind}"
    return view(f"{table}_mv", table, select({**handed, **POINT, **columns, **series}, by_metric, "Points", "s"))


HEADER = """-- Generated by scripts/generate_landing.py from store/proto/otlp.proto; do not edit.
--
-- One insert of length-delimited envelopes into a landing table flattens into the otel_* tables. The landing
-- tables keep nothing themselves. Attribute values nest to depth {attributes}, log bodies to depth {body}; deeper arrays
-- and maps become {{"{array}": base64 of the ArrayValue}} and {{"{map}": base64 of the KeyValueList}}.
"""


def migration() -> str:
    """The text of 0004_landing.sql."""
    messages = parse(PROTO.read_text(encoding="utf-8"))
    parts = [HEADER.format(attributes=ATTRIBUTE_DEPTH, body=BODY_DEPTH, array=DEEPER_ARRAY, map=DEEPER_MAP)]
    for signal in ("traces", "logs", "metrics"):
        request = column_type(messages, f"{signal.capitalize()}Request")
        parts.append(
            f"CREATE TABLE IF NOT EXISTS landing_{signal}${{on_cluster}}\n"
            f"(tenant LowCardinality(String), batch UInt64, received UInt64, request {request})\nENGINE = Null;\n"
        )
    parts.append(record_view("otel_traces", "landing_traces", "spans", "spans", TRACES))
    parts.append(record_view("otel_logs", "landing_logs", "logs", "log_records", LOGS))
    parts.extend(metric_view(kind) for kind in KINDS)
    return "\n".join(parts)


def main() -> int:
    """Write or check the file."""
    wanted = migration()
    if "--check" in sys.argv[1:]:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
