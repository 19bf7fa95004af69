"""The rows that must be in the tables for what the description says, given what an SDK can say."""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any, NamedTuple

from tests.clients.description import SAID
from tests.kit.otlp import any_value
from tests.kit.otlp_reference import member, plain

Row = dict[str, Any]
# Deeper than anything that is sent, and no deeper than either kind of value may be.
DEPTH = {"attribute": 2, "body": 5}
HAS_IS_REMOTE, IS_REMOTE, SAMPLED = 0x100, 0x200, 1
TABLES = ("gauge", "sum", "histogram", "exponential_histogram")
CUMULATIVE, DELTA = 2, 1


class Sdk(NamedTuple):
    """What an SDK leaves out of OTLP, or puts there, that another does not."""

    scope_attributes: bool = True  # of spans and metrics
    any_attributes: bool = True  # maps and bytes in attributes of spans
    link_state: bool = True  # the trace state of links
    exemplars: bool = True
    sampled: bool = False  # the trace flags in the flags of spans and links
    gauge_start: bool = False  # gauges have a start time
    spare_buckets: bool = False  # of an exponential histogram, empty ones at the end
    drops_newest: bool = False  # attributes beyond the limit


PYTHON = Sdk(link_state=False, spare_buckets=True)
NODE = Sdk(
    scope_attributes=False, any_attributes=False, exemplars=False, sampled=True, gauge_start=True, drops_newest=True
)


def text(value: Any, depth: int = DEPTH["attribute"]) -> str:
    """The value as the store holds it; JSON without spaces and with its keys in order."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    kept = plain(any_value(value), depth)
    return kept if isinstance(kept, str) else json.dumps(kept, sort_keys=True, separators=(",", ":"))


def typed(attributes: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Attributes as (type, text)."""
    return {key: (member(any_value(value)), text(value)) for key, value in attributes.items()}


def untyped(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as text."""
    return {key: text(value) for key, value in attributes.items()}


def _common(instance: str, scope: str, scope_attributes: bool) -> Row:
    said = SAID["scope"]
    return {
        "Tenant": "default",
        "ServiceName": SAID["resource"]["attributes"]["service.name"],
        "ResourceSchemaUrl": SAID["resource"]["schema_url"],
        "ResourceAttributes": typed({**SAID["resource"]["attributes"], "service.instance.id": instance}),
        "ScopeName": scope,
        "ScopeVersion": said["version"],
        "ScopeSchemaUrl": said["schema_url"],
        "ScopeAttributes": untyped(said["attributes"]) if scope_attributes else {},
        "ScopeDroppedAttrCount": 0,
    }


def _limited(attributes: Mapping[str, Any], sdk: Sdk) -> tuple[dict[str, tuple[str, str]], int]:
    """What is left of attributes, and how many are not."""
    limit = SAID["limits"]["attributes"]
    pairs = list(attributes.items())
    kept = pairs[:limit] if sdk.drops_newest else pairs[-limit:]
    return typed(dict(kept)), len(pairs) - len(kept)


def spans(sdk: Sdk, instance: str) -> list[Row]:
    """Rows of otel_traces in the order of their span ids."""
    return [_span(span, sdk) | _common(instance, SAID["scope"]["name"], sdk.scope_attributes) for span in SAID["spans"]]


def _span(span: dict[str, Any], sdk: Sdk) -> Row:
    parent = span.get("remote_parent") or span.get("local_parent") or {}
    sent = span["attributes"] | (span.get("any_attributes", {}) if sdk.any_attributes else {})
    attributes, dropped = _limited(sent, sdk)
    events, links = span["events"][-SAID["limits"]["events"] :], span["links"][-SAID["limits"]["links"] :]
    flags = HAS_IS_REMOTE | (SAMPLED if sdk.sampled else 0)
    return {
        "Timestamp": int(span["start"]),
        "Duration": int(span["end"]) - int(span["start"]),
        "TraceId": span["trace_id"],
        "SpanId": span["span_id"],
        "ParentSpanId": parent.get("span_id", ""),
        "TraceState": parent.get("trace_state", ""),
        "SpanName": span["name"],
        "SpanKind": span["kind"].capitalize(),
        "StatusCode": span["status"]["code"].capitalize(),
        "StatusMessage": span["status"].get("message", ""),
        "Flags": flags | (IS_REMOTE if "remote_parent" in span else 0),
        "SpanAttributes": attributes,
        "DroppedAttrCount": dropped,
        "Events.Timestamp": [int(event["time"]) for event in events],
        "Events.Name": [event["name"] for event in events],
        "Events.Attributes": [untyped(event["attributes"]) for event in events],
        "Events.DroppedAttrCount": [0 for _ in events],
        "DroppedEventsCount": len(span["events"]) - len(events),
        "Links.TraceId": [link["trace_id"] for link in links],
        "Links.SpanId": [link["span_id"] for link in links],
        "Links.TraceState": [link.get("trace_state", "") if sdk.link_state else "" for link in links],
        "Links.Attributes": [untyped(link["attributes"]) for link in links],
        "Links.DroppedAttrCount": [0 for _ in links],
        "Links.Flags": [flags | (IS_REMOTE if link.get("remote") else 0) for link in links],
        "DroppedLinksCount": len(span["links"]) - len(links),
        "ResourceDroppedAttrCount": 0,
    }


def logs(sdk: Sdk, instance: str) -> list[Row]:
    """Rows of otel_logs in the order of their times."""
    return [_log(record, sdk) | _common(instance, SAID["scope"]["name"], True) for record in SAID["logs"]]


def _log(record: dict[str, Any], sdk: Sdk) -> Row:
    attributes, dropped = _limited(record["attributes"], sdk)
    context = record.get("context", {})
    return {
        "Timestamp": int(record["time"]),
        "ObservedTimestamp": int(record["observed"]),
        "TraceId": context.get("trace_id", ""),
        "SpanId": context.get("span_id", ""),
        "TraceFlags": SAMPLED if context else 0,
        "Flags": SAMPLED if context else 0,
        "SeverityNumber": record["severity_number"],
        "SeverityText": record["severity_text"],
        "EventName": record.get("event_name", ""),
        "Body": text(record["body"], DEPTH["body"]),
        "BodyType": member(any_value(record["body"])),
        "LogAttributes": attributes,
        "DroppedAttrCount": dropped,
        "ResourceDroppedAttrCount": 0,
    }


def metrics(sdk: Sdk, instance: str) -> dict[str, list[Row]]:
    """Rows of each metric table, without times, in the order of metric, scope and time."""
    out: dict[str, list[Row]] = {table: [] for table in TABLES}
    for instrument in sorted(SAID["metrics"]["instruments"], key=lambda one: str(one["name"])):
        for temporality in ("cumulative", "delta"):
            common = _common(instance, f"{SAID['scope']['name']}.{temporality}", sdk.scope_attributes)
            for table, row in _points(instrument, temporality, sdk):
                out[table].append(row | common)
    return out


def _points(instrument: dict[str, Any], temporality: str, sdk: Sdk) -> Iterator[tuple[str, Row]]:
    kind = instrument["instrument"].removeprefix("observable_")
    observed = kind != instrument["instrument"]
    # An exporter asked for deltas gives them of what only rises.
    delta = temporality == "delta" and kind in {"counter", "histogram"}
    rounds = instrument["rounds"]
    for number, values in enumerate(rounds):
        row: Row = {
            "MetricName": instrument["name"],
            "MetricDescription": instrument["description"],
            "MetricUnit": instrument["unit"],
            "MetricMetadata": {},
            "Attributes": typed(instrument["attributes"]),
            "ResourceDroppedAttrCount": 0,
            "Flags": 0,
            **_exemplars([] if observed or not sdk.exemplars else values, instrument),
        }
        if kind == "histogram":
            seen = values if delta else [value for earlier in rounds[: number + 1] for value in earlier]
            row |= _of(seen, temporality)
            if "exponential" in instrument:
                yield "exponential_histogram", row | _exponential(instrument, temporality, number, sdk)
            else:
                yield "histogram", row | _explicit(instrument, seen)
            continue
        if kind == "gauge":
            yield "gauge", row | _number(values[-1], instrument)
            continue
        totals = [earlier[-1] for earlier in rounds] if observed else list(accumulate(map(sum, rounds)))
        total = totals[number] - (totals[number - 1] if delta and number else 0)
        form = {"AggregationTemporality": DELTA if delta else CUMULATIVE, "IsMonotonic": kind == "counter"}
        yield "sum", row | _number(total, instrument) | form


def _number(value: float, instrument: dict[str, Any]) -> Row:
    integer = instrument["number"] == "int"
    return {
        "Value": float(value),
        "ValueType": "as_int" if integer else "as_double",
        # Beyond 2^53 Value may be off by some.
        "ValueInt": int(value) if integer and abs(value) > 2**53 else 0,
    }


def _exemplars(values: list[float], instrument: dict[str, Any]) -> Row:
    context = SAID["metrics"]["context"]
    if "exponential" in instrument:
        # Python's SDK counts zeros and makes no exemplars of them.
        values = [value for value in values if value]
    return {
        "Exemplars.Value": [float(value) for value in values],
        "Exemplars.TraceId": [context["trace_id"] for _ in values],
        "Exemplars.SpanId": [context["span_id"] for _ in values],
        "Exemplars.FilteredAttributes": [untyped(instrument.get("left_out", {})) for _ in values],
    }


def _of(seen: list[float], temporality: str) -> Row:
    return {
        "Count": len(seen),
        "Sum": sum(seen),
        "Min": min(seen),
        "Max": max(seen),
        "HasSum": True,
        "HasMin": True,
        "HasMax": True,
        "AggregationTemporality": DELTA if temporality == "delta" else CUMULATIVE,
        # Counts that are no integers come by remote write only.
        "FloatCount": 0.0,
    }


def _exponential(instrument: dict[str, Any], temporality: str, number: int, sdk: Sdk) -> Row:
    buckets = instrument["buckets"][temporality][number]
    spare = instrument["exponential"]["max_size"] - len(buckets["counts"]) if sdk.spare_buckets else 0
    return {
        "Scale": buckets["scale"],
        "ZeroCount": buckets["zero_count"],
        "ZeroThreshold": 0.0,
        "PositiveOffset": buckets["offset"],
        "PositiveBucketCounts": buckets["counts"] + [0] * spare,
        "NegativeOffset": 0,
        "NegativeBucketCounts": [0] if sdk.spare_buckets else [],
        "FloatZeroCount": 0.0,
        "PositiveFloatCounts": [],
        "NegativeFloatCounts": [],
    }


def _explicit(instrument: dict[str, Any], seen: list[float]) -> Row:
    bounds = [float(bound) for bound in instrument["boundaries"]]
    counts = [0] * (len(bounds) + 1)
    for value in seen:
        counts[bisect.bisect_left(bounds, value)] += 1
    return {"ExplicitBounds": bounds, "BucketCounts": counts, "FloatBucketCounts": []}
