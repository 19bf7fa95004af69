"""OTLP JSON to OTLP protobuf, quickly and with the same bytes every time.

The encoder is compiled from the descriptors of opentelemetry-proto, so it knows every field of the installed
protocol version. It writes fields in number order and leaves out defaults, as the official serializer does;
tests compare the two byte for byte. Why telemetry is walked in Python here and nowhere else: ADR 0012.

Strictly means what the specification says: identifiers are hexadecimal, 64-bit integers may be strings, enums are
numbers, unknown keys are ignored and those in snake_case are unknown, null is no value
(https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding). No key comes twice, and NaN is a string.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest import json_values as values
from ingest.envelope import Signal
from ingest.errors import MalformedBody
from ingest.json_values import Encode, varint

_HEX = frozenset({"traceId", "spanId", "parentSpanId"})
_ANY_VALUE = "opentelemetry.proto.common.v1.AnyValue"
_KEY_VALUE = "opentelemetry.proto.common.v1.KeyValue"
# Attributes kept as bytes: so many, of so many characters.
_KEPT = 50_000
_KEPT_LENGTH = 100
_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5
_TOO_DEEP = "the values are nested too deep"


def protobuf_of(signal: Signal, body: bytes) -> bytes:
    """The protobuf request that a JSON request stands for. Raises MalformedBody, saying what is wrong with it."""
    try:
        document = _parsed(body)
    except MalformedBody:
        raise
    except RecursionError:
        raise MalformedBody(_TOO_DEEP) from None
    except ValueError as error:
        # Of a text that is not JSON nothing is said but where; of one that is not UTF-8 not even that.
        where = f": {error}" if isinstance(error, msgspec.DecodeError) else ""
        raise MalformedBody(f"the body is not JSON{where}") from None
    return encoded(_STRICT[signal], document)


def recorded(signal: Signal, document: Any) -> bytes:
    """The same for a parsed line of a recorded file, which may have NaN as a number and negative times."""
    return encoded(_LENIENT[signal], document)


def encoded(encode: Encode, document: Any) -> bytes:
    """What `encode` makes of a document. Raises MalformedBody."""
    try:
        return encode(document)
    except RecursionError:
        raise MalformedBody(_TOO_DEEP) from None
    except UnicodeEncodeError:
        raise MalformedBody("a string is not Unicode") from None


def _parsed(body: bytes) -> Any:
    document = msgspec.json.decode(body)
    # The parser lets the last of equal keys win. Written again, a document without any has its own bytes if they were
    # written without spaces, as JavaScript does; only otherwise is a second look needed, which costs twice as much.
    if msgspec.json.encode(document) != body:
        json.loads(str(body, "utf-8"), object_pairs_hook=_unique)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        raise MalformedBody("an object has the same key twice")


_SMALL = tuple(varint(n) for n in range(16_384))


def _length(size: int) -> bytes:
    return _SMALL[size] if size < 16_384 else varint(size)


class Compiler:
    """Makes encoders of messages; `lenient` for recorded files."""

    def __init__(self, *, lenient: bool) -> None:
        self._lenient = lenient
        self._made: dict[Descriptor, Encode] = {}

    def message(self, descriptor: Descriptor) -> Encode:
        """The encoder of a message: a JSON object in, its bytes without tag and length out."""
        if descriptor in self._made:
            return self._made[descriptor]
        # The table is filled after the function exists: AnyValue refers to itself.
        writers: dict[str, Encode] = {}
        encode = _object(descriptor, writers)
        if descriptor.full_name == _ANY_VALUE:
            encode = _any_value(writers, encode)
        elif descriptor.full_name == _KEY_VALUE:
            encode = _remembered(encode)
        self._made[descriptor] = encode
        writers.update((f.json_name, self._field(f)) for f in sorted(descriptor.fields, key=lambda f: f.number))
        return encode

    def _field(self, field: FieldDescriptor) -> Encode:
        if field.message_type is not None:
            body = self.message(field.message_type)
            return _many(field, body) if field.is_repeated else _sized(field, body)
        if field.type in (FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES):
            body = _text(field)
            return _many(field, body) if field.is_repeated else _sized(field, body, b"")
        scalar, wire, zero = self._scalar(field)
        if field.is_repeated:
            return _packed(field, scalar)
        tag = _tag(field, wire)
        if field.has_presence:
            return lambda value: tag + scalar(value)
        return lambda value: b"" if (data := scalar(value)) == zero else tag + data

    def _scalar(self, field: FieldDescriptor) -> tuple[Encode, int, bytes]:
        """A field's encoder, wire type, and default value."""
        name, kind = field.json_name, field.type
        match kind:
            case FieldDescriptor.TYPE_DOUBLE:
                return values.fixed("<d", values.floating(name)), _I64, bytes(8)
            case FieldDescriptor.TYPE_FIXED64:
                number = values.modulo64(name) if self._lenient else values.whole(name, 0, 2**64 - 1)
                return values.fixed("<Q", number), _I64, bytes(8)
            case FieldDescriptor.TYPE_SFIXED64:
                return values.fixed("<q", values.whole(name, -(2**63), 2**63 - 1)), _I64, bytes(8)
            case FieldDescriptor.TYPE_FIXED32:
                return values.fixed("<I", values.whole(name, 0, 2**32 - 1)), _I32, bytes(4)
            case FieldDescriptor.TYPE_BOOL:
                return values.boolean(name), _VARINT, bytes(1)
            case FieldDescriptor.TYPE_SINT32:
                return values.zigzag(name), _VARINT, bytes(1)
            case FieldDescriptor.TYPE_ENUM:
                names = field.enum_type.values_by_name.items() if field.enum_type else ()
                return values.enumeration(name, {key: value.number for key, value in names}), _VARINT, bytes(1)
        low, high = _RANGES[kind]
        number = values.whole(name, low, high)
        return (lambda value: varint(number(value))), _VARINT, bytes(1)


_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}


def _object(descriptor: Descriptor, writers: Mapping[str, Encode]) -> Encode:
    name = descriptor.name
    choices = [
        frozenset(field.json_name for field in oneof.fields) for oneof in descriptor.oneofs if len(oneof.fields) > 1
    ]

    def encode(value: Any) -> bytes:
        if value.__class__ is not dict:
            raise MalformedBody(f"{name}: an object is expected")
        for choice in choices:
            if len(given := choice & value.keys()) > 1 and sum(value[key] is not None for key in given) > 1:
                raise MalformedBody(f"{name}: only one of {', '.join(sorted(given))} can be set")
        get = value.get
        return b"".join([write(item) for key, write in writers.items() if (item := get(key)) is not None])

    return encode


def _any_value(writers: Mapping[str, Encode], encode: Encode) -> Encode:
    """An object has one member nearly always: it is looked up, not searched for."""

    def any_value(value: Any) -> bytes:
        if value.__class__ is dict and len(value) == 1:
            for key, item in value.items():
                write = writers.get(key)
                return write(item) if write is not None and item is not None else b""
        return encode(value)

    return any_value


def _remembered(encode: Encode) -> Encode:
    """Attributes repeat all over telemetry: keep the bytes of short ones that are plain text."""
    kept: dict[tuple[str, str], bytes] = {}

    def key_value(pair: Any) -> bytes:
        if pair.__class__ is not dict or len(pair) != 2:
            return encode(pair)
        key, value = pair.get("key"), pair.get("value")
        content = value.get("stringValue") if value.__class__ is dict and len(value) == 1 else None
        if key.__class__ is not str or content.__class__ is not str or len(key) + len(content) > _KEPT_LENGTH:
            return encode(pair)
        found = kept.get((key, content))
        if found is None:
            if len(kept) >= _KEPT:
                kept.clear()
            found = kept[key, content] = encode(pair)
        return found

    return key_value


def _tag(field: FieldDescriptor, wire: int) -> bytes:
    return varint(field.number << 3 | wire)


def _text(field: FieldDescriptor) -> Encode:
    if field.type == FieldDescriptor.TYPE_STRING:
        return values.text(field.json_name)
    return values.identifier(field.json_name) if field.json_name in _HEX else values.base64(field.json_name)


def _sized(field: FieldDescriptor, body: Encode, default: bytes | None = None) -> Encode:
    """Tag, length and content; nothing for a default, unless the field's presence is kept."""
    tag, left_out = _tag(field, _BYTES), None if field.has_presence else default

    def write(value: Any) -> bytes:
        data = body(value)
        return b"" if data == left_out else tag + _length(len(data)) + data

    return write


def _many(field: FieldDescriptor, body: Encode) -> Encode:
    tag, name = _tag(field, _BYTES), field.json_name

    def write(items: Any) -> bytes:
        if items.__class__ is not list:
            raise MalformedBody(f"{name}: a list is expected")
        parts: list[bytes] = []
        for item in items:
            data = body(item)
            parts += (tag, _length(len(data)), data)
        return b"".join(parts)

    return write


def _packed(field: FieldDescriptor, scalar: Encode) -> Encode:
    tag, name = _tag(field, _BYTES), field.json_name

    def write(items: Any) -> bytes:
        if items.__class__ is not list:
            raise MalformedBody(f"{name}: a list is expected")
        data = b"".join([scalar(item) for item in items])
        return tag + _length(len(data)) + data if data else b""

    return write


def _encoders(*, lenient: bool) -> dict[Signal, Encode]:
    compiler = Compiler(lenient=lenient)
    return {
        Signal.TRACES: compiler.message(ExportTraceServiceRequest.DESCRIPTOR),
        Signal.LOGS: compiler.message(ExportLogsServiceRequest.DESCRIPTOR),
        Signal.METRICS: compiler.message(ExportMetricsServiceRequest.DESCRIPTOR),
    }


# Compiled when the module loads: a thread must never see an encoder that is still being built.
_STRICT = _encoders(lenient=False)
_LENIENT = _encoders(lenient=True)
