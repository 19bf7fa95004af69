"""Write store/migrations/0004_landing.sql from store/proto/otlp.proto.

The landing tables' columns mirror the messages, and the views' JSON expressions repeat once per
nesting level, so both are generated; the .sql file is committed and a test compares the two.

    python -m scripts.generate_landing           write the file
    python -m scripts.generate_landing --check   exit 1 when the file is stale
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "store" / "proto" / "otlp.proto"
TARGET = ROOT / "store" / "migrations" / "0004_landing.sql"

ATTRIBUTE_DEPTH = 2
BODY_DEPTH = 6
# The key under which a value nested deeper than declared keeps its protobuf bytes, in base64.
DEEPER = "otlp_protobuf"

_SCALARS = {
    "string": "String",
    "bytes": "String",
    "bool": "Bool",
    "double": "Float64",
    "int32": "Int32",
    "sint32": "Int32",
    "uint32": "UInt32",
    "fixed32": "UInt32",
    "int64": "Int64",
    "sfixed64": "Int64",
    "uint64": "UInt64",
    "fixed64": "UInt64",
}
_MESSAGE = re.compile(r"message (\w+) \{")
_ONEOF = re.compile(r"oneof (\w+) \{([^}]*)\}")
_FIELD = re.compile(r"(?:(repeated|optional) )?(\w+) (\w+) = (\d+);")

MAP = "Map(LowCardinality(String), String)"
# Above this a Date, and so a partition's day, wraps round (2149-06-05, in nanoseconds).
LAST_TIME = 5_662_224_000_000_000_000


@dataclass(frozen=True)
class Field:
    """One proto field: label is '', 'repeated' or 'optional'."""

    label: str
    kind: str
    name: str
    number: int


@dataclass(frozen=True)
class Message:
    """Fields of a message and the members of its oneofs, by oneof name."""

    fields: tuple[Field, ...]
    oneofs: dict[str, tuple[Field, ...]]


def parse(text: str) -> dict[str, Message]:
    """Messages of a proto3 file that has no nested messages."""
    text = re.sub(r"//.*", "", text)
    starts = [*_MESSAGE.finditer(text)]
    ends = [match.start() for match in starts[1:]] + [len(text)]
    messages = {}
    for match, end in zip(starts, ends, strict=True):
        body = text[match.end() : end]
        oneofs = {name: _fields(members) for name, members in _ONEOF.findall(body)}
        messages[match.group(1)] = Message(_fields(body), oneofs)
    return messages


def _fields(text: str) -> tuple[Field, ...]:
    return tuple(Field(label, kind, name, int(number)) for label, kind, name, number in _FIELD.findall(text))


def column_type(messages: dict[str, Message], kind: str) -> str:
    """ClickHouse type of a scalar or message type."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    message = messages[kind]
    parts = []
    for name, members in message.oneofs.items():
        texts = ", ".join(f"'{f.name}' = {f.number}" for f in members)
        parts.append(f"{name} Enum8('none' = 0, {texts})")
    for field in message.fields:
        inner = column_type(messages, field.kind)
        wrapped = {"repeated": f"Array({inner})", "optional": f"Nullable({inner})"}.get(field.label, inner)
        parts.append(f"{field.name} {wrapped}")
    return f"Tuple({', '.join(parts)})"


# --- expressions ---------------------------------------------------------------------------------


def utf8(expression: str) -> str:
    """Invalid UTF-8 becomes U+FFFD: ClickHouse would pass it on and break every JSON reader."""
    return f"toValidUTF8({expression})"


def quoted(expression: str) -> str:
    """A JSON string."""
    return f"toJSONString({utf8(expression)})"


def number(expression: str, quote: str = "") -> str:
    """A double as text; NaN and the infinities as OTLP's JSON mapping spells them."""
    return (
        f"multiIf(isFinite({expression}), toString({expression}), isNaN({expression}), '{quote}NaN{quote}', "
        f"{expression} > 0, '{quote}Infinity{quote}', '{quote}-Infinity{quote}')"
    )


def containers(value: str, depth: int) -> tuple[str, str]:
    """JSON of an AnyN's array and of its map, as two expressions."""
    if depth == 0:
        def rest(member: str, empty: str) -> str:
            return f"if({member} = '', '{empty}', concat('{{\"{DEEPER}\":\"', base64Encode({member}), '\"}}'))"

        return rest(f"{value}.array_value", "[]"), rest(f"{value}.kvlist_value", "{}")
    item = f"v{depth - 1}"
    inner = json(item, depth - 1)
    array = f"concat('[', arrayStringConcat(arrayMap({item} -> {inner}, {value}.array_value.values), ','), ']')"
    pair = f"concat({quoted('k')}, ':', {inner})"
    pairs = f"{value}.kvlist_value.values"
    mapping = f"concat('{{', arrayStringConcat(arrayMap((k, {item}) -> {pair}, {pairs}.key, {pairs}.value), ','), '}}')"
    return array, mapping


def json(value: str, depth: int) -> str:
    """JSON text of an AnyN; bytes become base64 strings, unset becomes null."""
    array, mapping = containers(value, depth)
    return _by_member(
        value,
        string=quoted(f"{value}.string_value"),
        double=number(f"{value}.double_value", '"'),
        blob=f"concat('\"', base64Encode({value}.bytes_value), '\"')",
        array=array,
        mapping=mapping,
        unset="null",
    )


def text(value: str, depth: int) -> str:
    """The exporter's text of an AnyN: scalars bare, arrays and maps as JSON, unset as ''."""
    array, mapping = containers(value, depth)
    return _by_member(
        value,
        string=utf8(f"{value}.string_value"),
        double=number(f"{value}.double_value"),
        blob=f"base64Encode({value}.bytes_value)",
        array=array,
        mapping=mapping,
        unset="",
    )


def _by_member(value: str, *, string: str, double: str, blob: str, array: str, mapping: str, unset: str) -> str:
    return (
        f"multiIf({value}.value = 'string_value', {string}, "
        f"{value}.value = 'int_value', toString({value}.int_value), "
        f"{value}.value = 'bool_value', if({value}.bool_value, 'true', 'false'), "
        f"{value}.value = 'double_value', {double}, "
        f"{value}.value = 'array_value', {array}, "
        f"{value}.value = 'kvlist_value', {mapping}, "
        f"{value}.value = 'bytes_value', {blob}, '{unset}')"
    )


def attributes(pairs: str) -> str:
    """The exporter's map of a repeated KeyValue."""
    values = f"arrayMap(v -> {text('v', ATTRIBUTE_DEPTH)}, {pairs}.value)"
    keys = f"arrayMap(k -> {utf8('k')}, {pairs}.key)"
    return f"CAST(mapFromArrays({keys}, {values}), '{MAP}')"


def types(pairs: str) -> str:
    """Which AnyValue member each pair of a repeated KeyValue had."""
    return f"{pairs}.value.value"


def hex_id(value: str, size: int) -> str:
    """A trace or span id in hex, '' for absent and for all zeros, as the exporter does."""
    return f"if({value} IN ('', unhex('{'00' * size}')), '', lower(hex({value})))"


def time(value: str, otherwise: str | None = None) -> str:
    """Nanoseconds as a time; with `otherwise` for 0 and for what no partition can hold."""
    if otherwise is not None:
        value = f"if({value} = 0 OR {value} > {LAST_TIME}, {otherwise}, {value})"
    return f"fromUnixTimestamp64Nano(toInt64({value}), 'UTC')"


def named(value: str, names: tuple[str, ...]) -> str:
    """The exporter's text of an enum number; a number it does not know stays a number."""
    numbers = ", ".join(str(index) for index in range(len(names)))
    texts = ", ".join(f"'{name}'" for name in names)
    return f"transform({value}, [{numbers}], [{texts}], toString({value}))"


SPAN_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES = ("Unset", "Ok", "Error")


# --- statements ----------------------------------------------------------------------------------

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
    "Body": text("s.body", BODY_DEPTH),
    "LogAttributes": attributes("s.attributes"),
    "EventName": utf8("s.event_name"),
    "ObservedTimestamp": time(f"if(s.observed_time_unix_nano > {LAST_TIME}, 0, s.observed_time_unix_nano)"),
    "Flags": "s.flags",
    "BodyType": "s.body.value",
    "LogAttributeTypes": types("s.attributes"),
    "DroppedAttrCount": "s.dropped_attributes_count",
}

METRIC = {
    "MetricName": utf8("m.name"),
    "MetricDescription": utf8("m.description"),
    "MetricUnit": utf8("m.unit"),
    "MetricMetadata": attributes("m.metadata"),
}


def pairs_hash(mapping: str) -> str:
    """Hash of a map that does not depend on the order of its keys."""
    return f"arraySum(arrayMap((k, v) -> cityHash64(k, v), mapKeys({mapping}), mapValues({mapping})))"


def exemplars(points: str) -> dict[str, str]:
    """The exporter's Exemplars columns."""
    return {
        "`Exemplars.FilteredAttributes`": f"arrayMap(a -> {attributes('a')}, {points}.filtered_attributes)",
        "`Exemplars.TimeUnix`": f"arrayMap(t -> {time('t')}, {points}.time_unix_nano)",
        "`Exemplars.Value`": "arrayMap((t, d, i) -> if(t = 'as_int', toFloat64(i), d), "
        f"{points}.value, {points}.as_double, {points}.as_int)",
        "`Exemplars.SpanId`": f"arrayMap(i -> {hex_id('i', 8)}, {points}.span_id)",
        "`Exemplars.TraceId`": f"arrayMap(i -> {hex_id('i', 16)}, {points}.trace_id)",
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
-- and maps become {{"{deeper}": base64 of the ArrayValue or KeyValueList message}}.
"""


def migration() -> str:
    """The text of 0004_landing.sql."""
    messages = parse(PROTO.read_text(encoding="utf-8"))
    parts = [HEADER.format(attributes=ATTRIBUTE_DEPTH, body=BODY_DEPTH, deeper=DEEPER)]
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
