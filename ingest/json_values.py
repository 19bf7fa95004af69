"""Single values of protobuf's JSON form as the bytes protobuf has for them, and nothing that is not one.

Each function here makes a converter for one field. A converter raises MalformedBody, naming the field and never
the value, which may be anybody's secret (https://protobuf.dev/programming-guides/json/ and, for identifiers
and enums, https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
"""

from __future__ import annotations

import binascii
import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ingest.errors import MalformedBody

Encode = Callable[[Any], bytes]

_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?", re.ASCII)
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_LONGEST_NUMBER = 400
_MOST_DIGITS = 20


def varint(value: int) -> bytes:
    """An integer as a varint; a negative one as its two's complement in 64 bits."""
    if value < 0x80:
        return bytes((value,)) if value >= 0 else varint(value + (1 << 64))
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def whole(name: str, low: int, high: int) -> Callable[[Any], int]:
    """Integers from `low` to `high`: numbers, strings of digits, and either with an exponent (1.5e18)."""

    def convert(value: Any) -> int:
        kind = value.__class__
        if kind is int:
            number = value
        elif kind is str and len(value) <= _MOST_DIGITS and value.isascii() and value.isdigit():
            number = int(value)
        else:
            number = _unusual(value)
        if number is None or not low <= number <= high:
            raise MalformedBody(f"{name}: an integer from {low} to {high} is expected")
        return int(number)

    return convert


def _unusual(value: Any) -> int | None:
    """An integer written as a number with a fraction or an exponent, or in a string with a sign."""
    if value.__class__ is float:
        return int(value) if value.is_integer() else None
    if value.__class__ is str and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        try:
            number = Decimal(value)
        except InvalidOperation:
            # The exponent itself has too many digits.
            return None
        # Asked first: an exponent of nine digits would make an integer of as many.
        if number.adjusted() < _MOST_DIGITS and number == number.to_integral_value():
            return int(number)
    return None


def modulo64(name: str) -> Callable[[Any], int]:
    """Unsigned integers, and negative ones as what they are in 64 bits.

    For recorded files: Go writes a zero time.Time as a negative number of nanoseconds.
    """
    convert = whole(name, -(2**63), 2**64 - 1)
    return lambda value: convert(value) & 0xFFFF_FFFF_FFFF_FFFF


def fixed(pattern: str, convert: Callable[[Any], Any]) -> Encode:
    """What `convert` gives, in a fixed number of bytes."""
    pack = struct.Struct(pattern).pack
    return lambda value: pack(convert(value))


def floating(name: str) -> Callable[[Any], float]:
    """Numbers, numbers in strings, and the three words for what JSON has no number for."""

    def convert(value: Any) -> float:
        kind = value.__class__
        if kind is float:
            return float(value)
        if kind is str and value in _WORDS:
            return _WORDS[value]
        if kind is int or (kind is str and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value)):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
            if math.isfinite(number):
                return number
        raise MalformedBody(f"{name}: a number is expected")

    return convert


def boolean(name: str) -> Encode:
    """true and false."""

    def convert(value: Any) -> bytes:
        if value is True:
            return b"\x01"
        if value is False:
            return b"\x00"
        raise MalformedBody(f"{name}: true or false is expected")

    return convert


def zigzag(name: str) -> Encode:
    """sint32."""
    convert = whole(name, -(2**31), 2**31 - 1)

    def write(value: Any) -> bytes:
        number = convert(value)
        return varint(number << 1 if number >= 0 else (-number << 1) - 1)

    return write


def enumeration(name: str, numbers: Mapping[str, int]) -> Encode:
    """Integers, known or not; names as well, which OTLP's senders must not use and the Collector accepts."""
    convert = whole(name, -(2**31), 2**31 - 1)

    def write(value: Any) -> bytes:
        if value.__class__ is str and value in numbers:
            return varint(numbers[value])
        return varint(convert(value))

    return write


def text(name: str) -> Encode:
    """Strings."""

    def convert(value: Any) -> bytes:
        if value.__class__ is not str:
            raise MalformedBody(f"{name}: a string is expected")
        return str.encode(value)

    return convert


def identifier(name: str) -> Encode:
    """Trace and span ids: hexadecimal, in either case."""

    def convert(value: Any) -> bytes:
        try:
            return binascii.a2b_hex(value)
        except (TypeError, ValueError):
            raise MalformedBody(f"{name}: hexadecimal digits are expected") from None

    return convert


def base64(name: str) -> Encode:
    """Other bytes: base64 in either alphabet, padded or not."""

    def convert(value: Any) -> bytes:
        if value.__class__ is str:
            padded = value.rstrip("=").replace("-", "+").replace("_", "/")
            try:
                return binascii.a2b_base64(padded + "=" * (-len(padded) % 4), strict_mode=True)
            except ValueError:
                pass
        raise MalformedBody(f"{name}: base64 is expected")

    return convert
