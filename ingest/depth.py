"""How deep arrays and maps are nested in a request, told from its bytes.

What is nested deeper than anyone nests on purpose is refused, in protobuf and in JSON (which is protobuf by then)
alike. Only values large enough to be that deep are looked into, and only so many fields of a request: the engine
keeps what lies deeper than its schema as bytes, so one that gets past does no harm.
"""

from __future__ import annotations

import re

# A level of nesting takes two tags and two lengths at least.
_BYTES_A_LEVEL = 4
_MOST_FIELDS = 50_000
# The tag of an AnyValue's array (5) or map (6), after that of the field that holds the AnyValue and its length:
# KeyValue.value (2) or LogRecord.body (5).
_CANDIDATE = re.compile(rb"[\x12\x2a](?:[\x02-\x7f]|[\x80-\xff]{1,4}[\x00-\x7f])[\x2a\x32]")
_ARRAY, _MAP, _PAIR, _VALUE = 0x2A, 0x32, 0, 1
# Which fields lead further down: from what to what, and whether that is one more array or map.
_DOWN = {
    (_ARRAY, 1): (_VALUE, 0),
    (_MAP, 1): (_PAIR, 0),
    (_PAIR, 2): (_VALUE, 0),
    (_VALUE, 5): (_ARRAY, 1),
    (_VALUE, 6): (_MAP, 1),
}


def is_too_deep(body: bytes, most: int) -> bool:
    """Whether some value lies inside more than `most` arrays and maps."""
    at, left = 0, _MOST_FIELDS
    while left > 0 and (match := _CANDIDATE.search(body, at)):
        # What only looks like a candidate may overlap with one.
        at = match.start() + 1
        size, start = _varint(body, match.end())
        if size < most * _BYTES_A_LEVEL or start + size > len(body):
            left -= 1
            continue
        deep, left = _walk(body, body[match.end() - 1], start, start + size, left, most)
        if deep:
            return True
    return False


def _walk(body: bytes, kind: int, start: int, end: int, left: int, most: int) -> tuple[bool, int]:
    """Whether the array or map in body[start:end] holds too many others, and how many fields may still be read."""
    stack = [(kind, start, end, 1)]
    while stack:
        kind, at, end, level = stack.pop()
        if level > most:
            return True, left
        worth = (most - level) * _BYTES_A_LEVEL
        while at < end and left > 0:
            left -= 1
            tag, at = _varint(body, at)
            wire = tag & 7
            if wire == 2:
                size, at = _varint(body, at)
                if size >= worth and at + size <= end and (step := _DOWN.get((kind, tag >> 3))):
                    stack.append((step[0], at, at + size, level + step[1]))
                at += size
            elif wire == 0:
                at = _varint(body, at)[1]
            elif wire in (1, 5):
                at += 8 if wire == 1 else 4
            else:
                break
    return False, left


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number written at a position, and the position behind it."""
    number = 0
    for shift, byte in enumerate(body[at : at + 10]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    return 0, at + 10
