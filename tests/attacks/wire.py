"""Protobuf by hand, to write what no library would (https://protobuf.dev/programming-guides/encoding/)."""

from __future__ import annotations

VARINT, EIGHT_BYTES, LENGTH, START_GROUP, END_GROUP, FOUR_BYTES = range(6)


def varint(number: int) -> bytes:
    """A number, seven bits a byte."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*out, number))


def tag(field: int, wire_type: int) -> bytes:
    """What stands before a value."""
    return varint(field << 3 | wire_type)


def message(field: int, content: bytes) -> bytes:
    """A field with a length: a message, a string or bytes."""
    return tag(field, LENGTH) + varint(len(content)) + content


def spans(*each: bytes) -> bytes:
    """A request of these spans, each the content of a Span."""
    return message(1, message(2, b"".join(message(2, span) for span in each)))


def nested_value(depth: int) -> bytes:
    """An AnyValue: a text in so many arrays."""
    value = message(1, b"x")
    for _ in range(depth):
        value = message(5, message(1, value))
    return value
