"""Whether a request holds arrays or maps as values, told from its bytes.

Most telemetry does not, and the engine plans and decodes it in half the time when its schema need not
allow for them. The answer chooses the landing table and nothing else: a wrong yes costs time, and after
a wrong no (an encoder that sends an AnyValue in pieces, or with fields OTLP does not have) the value is
stored as its bytes in JSON, as values nested too deep are.
"""

from __future__ import annotations

import re

from ingest.envelope import Signal

# A length, then the tag of AnyValue.array_value (5) or kvlist_value (6), after the tag of the field that holds
# the AnyValue: KeyValue.value (2), and LogRecord.body (5) in logs.
_CANDIDATE = rb"(?:[\x02-\x7f]|[\x80-\xff]{1,4}[\x00-\x7f])[\x2a\x32]"
_PATTERNS = {
    Signal.TRACES: re.compile(rb"\x12" + _CANDIDATE),
    Signal.METRICS: re.compile(rb"\x12" + _CANDIDATE),
    Signal.LOGS: re.compile(rb"[\x12\x2a]" + _CANDIDATE),
}
# Beyond this many other bytes that look like it, a body is not worth looking at any longer.
_MOST_CANDIDATES = 10_000


def is_nested(signal: Signal, body: bytes) -> bool:
    """Whether some attribute or log body of the request is an array or a map."""
    for number, match in enumerate(_PATTERNS[signal].finditer(body)):
        start = match.end()
        size, start_of_content = _varint(body, start)
        # The array or map fills its AnyValue to the last byte; identifiers and times that look like tags do not.
        if _varint(body, match.start() + 1)[0] == start_of_content - start + 1 + size or number == _MOST_CANDIDATES:
            return True
    return False


def _varint(body: bytes, at: int) -> tuple[int, int]:
    """The number written at a position, and the position behind it; 0 where none ends in five bytes."""
    number = 0
    for shift, byte in enumerate(body[at : at + 5]):
        number |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return number, at + shift + 1
    return 0, at
