"""Prometheus remote-write messages as google's protobuf library knows them, and requests under construction.

Written from https://github.com/prometheus/prometheus/tree/main/prompb and from nothing of ours, so that a wrong
field number here or there makes tests fail.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import cramjam
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]
V1 = {"Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"}
V2 = {**V1, "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"}

# message -> "name number type", "*" for repeated, "|oneof" for a member of one.
_HISTOGRAM = (
    "count_int 1 uint64|count", "count_float 2 double|count", "sum 3 double", "schema 4 sint32",
    "zero_threshold 5 double", "zero_count_int 6 uint64|zero_count", "zero_count_float 7 double|zero_count",
    "negative_spans 8 *BucketSpan", "negative_deltas 9 *sint64", "negative_counts 10 *double",
    "positive_spans 11 *BucketSpan", "positive_deltas 12 *sint64", "positive_counts 13 *double",
    "reset_hint 14 int32", "timestamp 15 int64", "custom_values 16 *double",
)  # fmt: skip
_BOTH = {"BucketSpan": ("offset 1 sint32", "length 2 uint32")}
_V1 = {
    "WriteRequest": ("timeseries 1 *TimeSeries", "metadata 3 *MetricMetadata"),
    "MetricMetadata": ("type 1 int32", "metric_family_name 2 string", "help 4 string", "unit 5 string"),
    "Label": ("name 1 string", "value 2 string"),
    "Sample": ("value 1 double", "timestamp 2 int64"),
    "Exemplar": ("labels 1 *Label", "value 2 double", "timestamp 3 int64"),
    "TimeSeries": ("labels 1 *Label", "samples 2 *Sample", "exemplars 3 *Exemplar", "histograms 4 *Histogram"),
    "Histogram": _HISTOGRAM,
    **_BOTH,
}
_V2 = {
    "Request": ("symbols 4 *string", "timeseries 5 *TimeSeries"),
    "TimeSeries": (
        "labels_refs 1 *uint32", "samples 2 *Sample", "histograms 3 *Histogram", "exemplars 4 *Exemplar",
        "metadata 5 Metadata", "created_timestamp 6 int64",
    ),
    "Exemplar": ("labels_refs 1 *uint32", "value 2 double", "timestamp 3 int64"),
    "Sample": ("value 1 double", "timestamp 2 int64", "start_timestamp 3 int64"),
    "Metadata": ("type 1 int32", "help_ref 3 uint32", "unit_ref 4 uint32"),
    "Histogram": (*_HISTOGRAM, "start_timestamp 17 int64"),
    **_BOTH,
}  # fmt: skip


def keyed(key: bytes) -> bytes:
    """The field of an envelope that holds a request's key."""
    return bytes((5 << 3 | 2, len(key))) + key


def classes(package: str, messages: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Message classes by name, of messages that say "name number type" of each field."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    kinds = descriptor_pb2.FieldDescriptorProto
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for text in fields:
            field_name, number, rest = text.split()
            kind, _, oneof = rest.lstrip("*").partition("|")
            field = message.field.add(name=field_name, number=int(number), label=kinds.LABEL_OPTIONAL)
            if rest.startswith("*"):
                field.label = kinds.LABEL_REPEATED
            if kind in messages:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{package}.{kind}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
            if oneof:
                if oneof not in [declared.name for declared in message.oneof_decl]:
                    message.oneof_decl.add(name=oneof)
                field.oneof_index = [declared.name for declared in message.oneof_decl].index(oneof)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}")) for name in messages}


_FIRST, _SECOND = classes("prometheus", _V1), classes("io.prometheus.write.v2", _V2)
WriteRequest, Metadata1 = _FIRST["WriteRequest"], _FIRST["MetricMetadata"]
Request = _SECOND["Request"]


def snappy(message: Any) -> bytes:
    """The message as it goes over the wire."""
    body = message if isinstance(message, bytes) else message.SerializeToString()
    return bytes(cramjam.snappy.compress_raw(body))


class Series1:
    """A 1.0 request, series by series."""

    def __init__(self) -> None:
        self.message = WriteRequest()

    def add(self, labels: Mapping[str, str], **fields: Any) -> Any:
        """A series; `samples` are (milliseconds, value), `exemplars` (labels, value, milliseconds)."""
        series = self.message.timeseries.add(labels=[{"name": n, "value": v} for n, v in labels.items()])
        for at, value in fields.get("samples", ()):
            series.samples.add(timestamp=at, value=value)
        for pairs, value, at in fields.get("exemplars", ()):
            listed = [{"name": n, "value": v} for n, v in pairs.items()]
            series.exemplars.add(labels=listed, value=value, timestamp=at)
        for histogram in fields.get("histograms", ()):
            series.histograms.add(**histogram)
        return series


class Series2:
    """A 2.0 request, series by series; samples may have a third part, their start."""

    def __init__(self) -> None:
        self.message = Request(symbols=[""])
        self._refs = {"": 0}

    def ref(self, text: str) -> int:
        """Reference to a symbol, added when it is new."""
        if text not in self._refs:
            self._refs[text] = len(self.message.symbols)
            self.message.symbols.append(text)
        return self._refs[text]

    def refs(self, labels: Mapping[str, str]) -> list[int]:
        """References to labels."""
        return [self.ref(text) for pair in labels.items() for text in pair]

    def add(self, labels: Mapping[str, str], **fields: Any) -> Any:
        """A series; `metadata` is (type, help, unit), the rest as in `Series1.add`."""
        kind, about, unit = fields.get("metadata", (0, "", ""))
        series = self.message.timeseries.add(labels_refs=self.refs(labels), created_timestamp=fields.get("created", 0))
        series.metadata.type, series.metadata.help_ref, series.metadata.unit_ref = kind, self.ref(about), self.ref(unit)
        for at, value, *start in fields.get("samples", ()):
            series.samples.add(timestamp=at, value=value, start_timestamp=start[0] if start else 0)
        for pairs, value, at in fields.get("exemplars", ()):
            series.exemplars.add(labels_refs=self.refs(pairs), value=value, timestamp=at)
        for histogram in fields.get("histograms", ()):
            series.histograms.add(**histogram)
        return series
