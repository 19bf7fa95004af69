"""The columns of the otel_* tables as expressions over OTLP messages.

Levels are named r resource, c scope, m metric and s span, log record or data point. No level reads
a column of its own: the engine would analyse that column's expression once more for each reader.
"""

from __future__ import annotations

from scripts.otlp_expressions import (
    FLAT,
    MAP,
    RESOURCE_MAP,
    Values,
    exemplars,
    hex_id,
    named,
    pairs_hash,
    time,
    types,
    usable,
)

Columns = dict[str, str]

SPAN_KINDS = ("Unspecified", "Internal", "Server", "Client", "Producer", "Consumer")
STATUS_CODES = ("Unset", "Ok", "Error")

# Of the envelope: column -> its field and type. CAREFUL is for requests in which redaction may find something.
ENVELOPE = {
    "Tenant": ("tenant", "LowCardinality(String)"),
    "Batch": ("batch", "UInt64"),
    "Received": ("received", "UInt64"),
}
CAREFUL = {
    "Request": ("key", "String"),
    "Suspect": ("suspect", "Bool"),
    "HashInner": ("hash_inner", "String"),
    "HashOuter": ("hash_outer", "String"),
}
AT = usable("s.time_unix_nano")


def resource_columns(values: Values) -> Columns:
    """Of a resource."""
    return {
        "ResourceAttributes": values.attributes("r.resource.attributes"),
        "ResourceAttributeTypes": types("r.resource.attributes"),
        "ResourceDroppedAttrCount": "r.resource.dropped_attributes_count",
        "ResourceSchemaUrl": "r.schema_url",
    }


def scope_columns(values: Values) -> Columns:
    """Of a scope."""
    return {
        "ServiceName": "ResourceAttributes['service.name']",
        "ScopeName": "c.scope.name",
        "ScopeVersion": "c.scope.version",
        "ScopeAttributes": values.attributes("c.scope.attributes"),
        "ScopeDroppedAttrCount": "c.scope.dropped_attributes_count",
        "ScopeSchemaUrl": "c.schema_url",
    }


def span_columns(values: Values) -> Columns:
    """Of a span."""
    start, end = usable("s.start_time_unix_nano"), usable("s.end_time_unix_nano")
    return {
        "Timestamp": time(f"multiIf({start} > 0, {start}, {end} > 0, {end}, Received)"),
        "TraceId": hex_id("s.trace_id", 16),
        "SpanId": hex_id("s.span_id", 8),
        "ParentSpanId": hex_id("s.parent_span_id", 8),
        "TraceState": "s.trace_state",
        "SpanName": "s.name",
        "SpanKind": named("s.kind", SPAN_KINDS),
        "SpanAttributes": values.attributes("s.attributes"),
        "Duration": f"if({start} = 0 OR {end} < {start}, 0, {end} - {start})",
        "StatusCode": named("s.status.code", STATUS_CODES),
        "StatusMessage": "s.status.message",
        "`Events.Timestamp`": f"arrayMap(t -> {time('t')}, s.events.time_unix_nano)",
        "`Events.Name`": "s.events.name",
        "`Events.Attributes`": values.attribute_maps("s.events.attributes"),
        "`Events.DroppedAttrCount`": "s.events.dropped_attributes_count",
        "`Links.TraceId`": f"arrayMap(i -> {hex_id('i', 16)}, s.links.trace_id)",
        "`Links.SpanId`": f"arrayMap(i -> {hex_id('i', 8)}, s.links.span_id)",
        "`Links.TraceState`": "s.links.trace_state",
        "`Links.Attributes`": values.attribute_maps("s.links.attributes"),
        "`Links.DroppedAttrCount`": "s.links.dropped_attributes_count",
        "`Links.Flags`": "s.links.flags",
        "Flags": "s.flags",
        "SpanAttributeTypes": types("s.attributes"),
        "DroppedAttrCount": "s.dropped_attributes_count",
        "DroppedEventsCount": "s.dropped_events_count",
        "DroppedLinksCount": "s.dropped_links_count",
    }


def log_columns(values: Values) -> Columns:
    """Of a log record."""
    observed = usable("s.observed_time_unix_nano")
    return {
        "Timestamp": time(f"multiIf({AT} > 0, {AT}, {observed} > 0, {observed}, Received)"),
        "TraceId": hex_id("s.trace_id", 16),
        "SpanId": hex_id("s.span_id", 8),
        "TraceFlags": "toUInt8(bitAnd(s.flags, 255))",
        "SeverityText": "s.severity_text",
        "SeverityNumber": "toUInt8(bitAnd(s.severity_number, 255))",
        "Body": values.text("s.body"),
        "LogAttributes": values.attributes("s.attributes"),
        "EventName": "s.event_name",
        "ObservedTimestamp": time(observed),
        "Flags": "s.flags",
        "BodyType": "toInt8(s.body.t)",
        "LogAttributeTypes": types("s.attributes"),
        "DroppedAttrCount": "s.dropped_attributes_count",
    }


METRIC = {
    "ResourceHash": f"cityHash64(ServiceName, ScopeName, {pairs_hash('ResourceAttributes')})",
    "MetricName": "m.name",
    "MetricDescription": "m.description",
    "MetricUnit": "m.unit",
    "MetricMetadata": FLAT.attributes("m.metadata"),
    # Only the kind that was sent has a temporality; the others read 0.
    "AggregationTemporality": "m.sum.aggregation_temporality + m.histogram.aggregation_temporality"
    " + m.exponential_histogram.aggregation_temporality",
    "IsMonotonic": "m.sum.is_monotonic",
}
SERIES_HASH = f"cityHash64(MetricName, ResourceHash, {pairs_hash('Attributes')})"

# What landing_points carries for every metric: name -> type.
STAGED = {
    # Repeated for each row: numbers in a dictionary are cheaper to copy than text.
    "ResourceAttributes": RESOURCE_MAP,
    "ResourceAttributeTypes": "Array(Int8)",
    "ResourceDroppedAttrCount": "UInt32",
    "ResourceSchemaUrl": "String",
    "ServiceName": "LowCardinality(String)",
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": MAP,
    "ScopeDroppedAttrCount": "UInt32",
    "ScopeSchemaUrl": "String",
    "ResourceHash": "UInt64",
    "MetricName": "LowCardinality(String)",
    "MetricDescription": "String",
    "MetricUnit": "String",
    "MetricMetadata": MAP,
    "AggregationTemporality": "Int32",
    "IsMonotonic": "Bool",
}
# Columns that only some kinds of metric have.
ONLY = {
    "AggregationTemporality": ("sum", "histogram", "exponential_histogram"),
    "IsMonotonic": ("sum",),
}


def point_columns(values: Values) -> Columns:
    """Of a data point of any kind."""
    return {
        "Attributes": values.attributes("s.attributes"),
        "StartTimeUnix": time(usable("s.start_time_unix_nano")),
        "TimeUnix": time(f"if({AT} > 0, {AT}, Received)"),
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
KINDS: dict[str, Columns] = {
    "gauge": {**NUMBER, **exemplars("s.exemplars")},
    "sum": {**NUMBER, **exemplars("s.exemplars")},
    "histogram": {
        "Count": "s.count",
        "BucketCounts": "s.bucket_counts",
        "ExplicitBounds": "s.explicit_bounds",
        **PRESENCE,
        **exemplars("s.exemplars"),
    },
    "exponential_histogram": {
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
    },
    "summary": {
        "Count": "s.count",
        "Sum": "s.sum",
        "`ValueAtQuantiles.Quantile`": "s.quantile_values.quantile",
        "`ValueAtQuantiles.Value`": "s.quantile_values.value",
    },
}
