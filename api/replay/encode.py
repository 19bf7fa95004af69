"""OTLP JSON to OTLP protobuf, quickly and with the same bytes every time.

The encoder is compiled from the descriptors of opentelemetry-proto, so it knows every field of the
installed protocol version. It writes fields in number order and leaves out defaults, as the official
serializer does; tests compare the two byte for byte. JSON rules: identifiers are hexadecimal, 64-bit
integers may be strings, NaN and Infinity may be bare words, unknown keys are ignored
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from api.errors import NotOtlp

Encode = Callable[[Any], bytes]

SIGNAL_OF = {"resourceSpans": "traces", "resourceLogs": "logs", "resourceMetrics": "metrics"}
_HEX = frozenset({"traceId", "spanId", "parentSpanId"})
_KEY_VALUE = "opentelemetry.proto.common.v1.KeyValue"
_KEY_VALUES_KEPT = 200_000
_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5


class Encoded(NamedTuple):
    """One request: its signal (traces, logs, metrics), its protobuf bytes, and how many records it holds."""

    signal: str
    body: bytes
    records: int


def encode_line(line: bytes) -> Encoded:
    """Protobuf bytes of one line of OTLP JSON; the first key tells the signal.

    Raises NotOtlp with the reason when the line is not JSON or not an export request.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotOtlp(f"not JSON: {error}") from error
    if not isinstance(document, dict) or not document:
        raise NotOtlp("not an OTLP export request: expected a JSON object")
    first = next(iter(document))
    if first not in SIGNAL_OF:
        raise NotOtlp(f"not an OTLP export request: first key is {first!r}, expected {', '.join(SIGNAL_OF)}")
    signal = SIGNAL_OF[first]
    try:
        return Encoded(signal, _ENCODERS[signal](document), _records(signal, document[first]))
    except (TypeError, ValueError, AttributeError, KeyError, OverflowError, RecursionError, struct.error) as error:
        raise NotOtlp(f"not an OTLP {signal} request: {error}") from error


def _records(signal: str, resources: list[dict[str, Any]]) -> int:
    if signal == "traces":
        return sum(len(s.get("spans") or ()) for r in resources for s in r.get("scopeSpans") or ())
    if signal == "logs":
        return sum(len(s.get("logRecords") or ()) for r in resources for s in r.get("scopeLogs") or ())
    metrics = (m for r in resources for s in r.get("scopeMetrics") or () for m in s.get("metrics") or ())
    return sum(len(v.get("dataPoints") or ()) for m in metrics for v in m.values() if isinstance(v, dict))


def _varint(value: int) -> bytes:
    if value < 0x80:
        return bytes((value,)) if value >= 0 else _varint(value + (1 << 64))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


_SMALL = tuple(_varint(n) for n in range(16_384))


def _length(size: int) -> bytes:
    return _SMALL[size] if size < 16_384 else _varint(size)


@cache
def _message(descriptor: Descriptor) -> Encode:
    # The table is filled after the function exists: AnyValue refers to itself.
    writers: list[tuple[str, Encode]] = []

    def encode(value: Mapping[str, Any]) -> bytes:
        get = value.get
        return b"".join([write(item) for name, write in writers if (item := get(name)) is not None])

    result = _remembered(encode) if descriptor.full_name == _KEY_VALUE else encode
    _BUILDING[descriptor] = result
    writers.extend((field.json_name, _field(field)) for field in sorted(descriptor.fields, key=lambda f: f.number))
    return result


_BUILDING: dict[Descriptor, Encode] = {}


def _remembered(encode: Encode) -> Encode:
    """Attributes repeat all over telemetry: keep the bytes of plain text ones."""
    kept: dict[tuple[str, str], bytes] = {}

    def key_value(pair: Mapping[str, Any]) -> bytes:
        value = pair.get("value")
        text = value.get("stringValue") if value else None
        if text.__class__ is not str or len(value) != 1 or len(pair) != 2:  # type: ignore[arg-type]
            return encode(pair)
        key = (pair["key"], text)
        found = kept.get(key)
        if found is None:
            if len(kept) >= _KEY_VALUES_KEPT:
                kept.clear()
            found = kept[key] = encode(pair)
        return found

    return key_value


def _field(field: FieldDescriptor) -> Encode:
    descriptor = field.message_type
    if descriptor is not None:
        body = _BUILDING.get(descriptor) or _message(descriptor)
        return _many(field, body) if field.is_repeated else _sized(field, body)
    if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
        text = _text_of(field)
        return _many(field, text) if field.is_repeated else _implicit(field, _sized(field, text), "", b"")
    scalar = _SCALARS[field.type](field)
    if field.is_repeated:
        return _packed(field, scalar)
    tag = _tag(field, _WIRE.get(field.type, _VARINT))
    return _implicit(field, lambda value: tag + scalar(value), 0, "0", False)


def _tag(field: FieldDescriptor, wire: int) -> bytes:
    return _varint(field.number << 3 | wire)


def _sized(field: FieldDescriptor, body: Encode) -> Encode:
    tag = _tag(field, _BYTES)

    def write(value: Any) -> bytes:
        data = body(value)
        return tag + _length(len(data)) + data

    return write


def _many(field: FieldDescriptor, body: Encode) -> Encode:
    tag = _tag(field, _BYTES)

    def write(values: list[Any]) -> bytes:
        if values.__class__ is not list:
            raise TypeError(f"{field.json_name} is not a list")
        parts: list[bytes] = []
        for value in values:
            data = body(value)
            parts += (tag, _length(len(data)), data)
        return b"".join(parts)

    return write


def _packed(field: FieldDescriptor, scalar: Encode) -> Encode:
    tag = _tag(field, _BYTES)

    def write(values: list[Any]) -> bytes:
        data = b"".join([scalar(value) for value in values])
        return tag + _length(len(data)) + data if data else b""

    return write


def _implicit(field: FieldDescriptor, write: Encode, *defaults: object) -> Encode:
    """Without presence, a default value is not written; in a oneof or `optional` it is."""
    if field.has_presence:
        return write
    return lambda value: b"" if value in defaults else write(value)


def _text_of(field: FieldDescriptor) -> Encode:
    if field.type == FieldDescriptor.TYPE_STRING:
        return str.encode
    return bytes.fromhex if field.json_name in _HEX else base64.b64decode


def _fixed(pattern: str, convert: Callable[[Any], Any]) -> Callable[[FieldDescriptor], Encode]:
    pack = struct.Struct(pattern).pack
    return lambda _field: lambda value: pack(convert(value))


def _unsigned(value: Any) -> int:
    # Go writes a zero time.Time as a negative number of nanoseconds; on the wire it is this unsigned one.
    return int(value) & 0xFFFF_FFFF_FFFF_FFFF


def _plain(_field: FieldDescriptor) -> Encode:
    return lambda value: _varint(int(value))


def _zigzag(_field: FieldDescriptor) -> Encode:
    def write(value: Any) -> bytes:
        number = int(value)
        return _varint(number << 1 if number >= 0 else (-number << 1) - 1)

    return write


def _enum(field: FieldDescriptor) -> Encode:
    kind = field.enum_type
    numbers = {name: value.number for name, value in kind.values_by_name.items()} if kind else {}

    def write(value: Any) -> bytes:
        return _varint(numbers[value] if isinstance(value, str) else int(value))

    return write


_SCALARS: dict[int, Callable[[FieldDescriptor], Encode]] = {
    FieldDescriptor.TYPE_DOUBLE: _fixed("<d", float),
    FieldDescriptor.TYPE_FIXED64: _fixed("<Q", _unsigned),
    FieldDescriptor.TYPE_SFIXED64: _fixed("<q", int),
    FieldDescriptor.TYPE_FIXED32: _fixed("<I", int),
    FieldDescriptor.TYPE_BOOL: _plain,
    FieldDescriptor.TYPE_INT32: _plain,
    FieldDescriptor.TYPE_INT64: _plain,
    FieldDescriptor.TYPE_UINT32: _plain,
    FieldDescriptor.TYPE_UINT64: _plain,
    FieldDescriptor.TYPE_SINT32: _zigzag,
    FieldDescriptor.TYPE_ENUM: _enum,
}
_WIRE = {
    FieldDescriptor.TYPE_DOUBLE: _I64,
    FieldDescriptor.TYPE_FIXED64: _I64,
    FieldDescriptor.TYPE_SFIXED64: _I64,
    FieldDescriptor.TYPE_FIXED32: _I32,
}

# Compiled when the module loads: a thread must never see an encoder that is still being built.
_ENCODERS: dict[str, Encode] = {
    "traces": _message(ExportTraceServiceRequest.DESCRIPTOR),
    "logs": _message(ExportLogsServiceRequest.DESCRIPTOR),
    "metrics": _message(ExportMetricsServiceRequest.DESCRIPTOR),
}
