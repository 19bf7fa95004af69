"""Mutations of protobuf that know its structure: what stays valid around the change gets deep into a decoder."""

from __future__ import annotations

import random
from collections.abc import Callable

from tests.attacks.wire import LENGTH, message, nested_value, tag, varint

_LONGEST = 4096


def mutated(data: bytes, seed: int) -> bytes:
    """The bytes with one to three changes, some of them in a field's content with all lengths around it put right."""
    choose = random.Random(seed)
    for _ in range(choose.randint(1, 3)):
        data = _changed(data, choose, depth=0)
    return data[: 4 * _LONGEST]


def _changed(data: bytes, choose: random.Random, depth: int) -> bytes:
    fields = _fields(data)
    inner = [n for n, (_, wire_type, _, content) in enumerate(fields) if wire_type == LENGTH and content]
    if inner and depth < 8 and choose.random() < 0.8:
        n = choose.choice(inner)
        number, _, _, content = fields[n]
        changed = message(number, _changed(content, choose, depth + 1))
        return b"".join(changed if k == n else raw for k, (_, _, raw, _) in enumerate(fields))
    return choose.choice(_MUTATIONS)(data, [raw for _, _, raw, _ in fields], choose)


def _fields(data: bytes) -> list[tuple[int, int, bytes, bytes]]:
    """Number, wire type, all bytes and content of each field; nothing when the bytes are no message."""
    found, at = [], 0
    while at < len(data):
        start = at
        key, at = _number(data, at)
        wire_type, size = key & 7, 0
        if wire_type == 0:
            _, at = _number(data, at)
        elif wire_type == LENGTH:
            size, at = _number(data, at)
            at += size
        elif wire_type in {1, 5}:
            at += 8 if wire_type == 1 else 4
        else:
            return []
        if at > len(data) or at <= start:
            return []
        found.append((key >> 3, wire_type, data[start:at], data[at - size : at]))
    return found


def _number(data: bytes, at: int) -> tuple[int, int]:
    number = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        number |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return number, at
    return 0, len(data) + 1


Mutation = Callable[[bytes, list[bytes], random.Random], bytes]


def _flip(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    if not data:
        return choose.randbytes(3)
    at = choose.randrange(len(data))
    return data[:at] + bytes((data[at] ^ 1 << choose.randrange(8),)) + data[at + 1 :]


def _cut(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    return data[: choose.randint(0, len(data))]


def _insert(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    at = choose.randint(0, len(data))
    return data[:at] + choose.randbytes(choose.randint(1, 12)) + data[at:]


def _replace(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    return choose.choice(
        (b"", b"\0", b"\xff" * 10, choose.randbytes(16), "é\u2028\U0001f600".encode(), b"\xed\xa0\x80")
    )


def _shuffle(_: bytes, fields: list[bytes], choose: random.Random) -> bytes:
    return b"".join(choose.sample(fields, len(fields)))


def _drop(_: bytes, fields: list[bytes], choose: random.Random) -> bytes:
    return b"".join(field for field in fields if choose.random() < 0.7)


def _repeat(_: bytes, fields: list[bytes], choose: random.Random) -> bytes:
    return b"".join(field * choose.choice((1, 1, 2, 20)) for field in fields)[:_LONGEST]


def _add(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    number = choose.choice((0, choose.randint(1, 17), 1000, 2**29 - 1))
    wire_type = choose.randrange(8)
    content = choose.choice((varint(choose.getrandbits(64)), choose.randbytes(8), message(1, b"x"), b"\xff" * 11))
    return data + tag(number, wire_type) + content


def _grow(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    """A length that promises more than there is."""
    return data + tag(choose.randint(1, 12), LENGTH) + varint(choose.choice((1, 200, 2**20, 2**31, 2**32, 2**63)))


def _nest(data: bytes, _: list[bytes], choose: random.Random) -> bytes:
    return data + message(choose.choice((2, 5, 9)), message(1, b"k") + message(2, nested_value(choose.randint(1, 60))))


_MUTATIONS: tuple[Mutation, ...] = (_flip, _cut, _insert, _replace, _shuffle, _drop, _repeat, _add, _grow, _nest)
